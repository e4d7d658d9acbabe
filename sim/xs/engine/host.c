/*
 * What a machine finds in its global `host`: the natives under the modules `timer`, `time` and `embedded:io/socket/tcp`
 * of a board, a way to ask the process outside, and the meter. Natives, so that what a test measures in the machine's
 * heap is what the firmware put there. They behave as a board's do where a program could tell.
 */
#include <math.h>
#include "worker.h"

/* --- Callbacks that C keeps -------------------------------------------------------------------------------------- */

static void call(xsMachine* the, xsSlot* function, xsSlot* self, double number, int hasNumber)
{
	xsBeginHost(the);
	{
		xsVars(2);
		xsTry {
			xsVar(0) = xsAccess(*function);
			xsVar(1) = xsAccess(*self);
			if (xsTest(xsVar(0))) {
				if (hasNumber) (void)xsCallFunction1(xsVar(0), xsVar(1), xsInteger((int)number));
				else (void)xsCallFunction1(xsVar(0), xsVar(1), xsVar(1));
			}
		}
		xsCatch {
			char text[512];
			snprintf(text, sizeof(text), "uncaught %s", xsToString(xsException));
			failMachine(the, text);
		}
	}
	xsEndHost(the);
}

/* --- Timers ------------------------------------------------------------------------------------------------------ */

typedef struct Timer {
	struct Timer* next;
	double atMs;
	double repeatMs; /* below 0: once */
	unsigned int order;
	int isRunning;
	xsSlot self;
	xsSlot callback;
} Timer;

static Timer* timers = NULL;
static unsigned int timerOrder = 0;

static void destroyTimer(void* data)
{
	Timer** at = &timers;
	if (!data) return;
	while (*at && *at != data) at = &(*at)->next;
	if (*at) *at = (*at)->next;
	free(data);
}

static void markTimer(xsMachine* the, void* data, xsMarkRoot markRoot)
{
	Timer* timer = data;
	if (timer) (*markRoot)(the, &timer->callback);
}

static const xsHostHooks timerHooks = { destroyTimer, markTimer, NULL };

static void startTimer(xsMachine* the, double ms, double repeatMs)
{
	Timer* timer = calloc(1, sizeof(Timer));
	xsVars(1);
	timer->next = timers;
	timers = timer;
	timer->atMs = nowMs() + (ms > 0 ? ms : 0);
	timer->repeatMs = repeatMs;
	timer->order = timerOrder++;
	timer->isRunning = 1;
	timer->callback = xsArg(0);
	xsVar(0) = xsNewHostObject(NULL);
	xsSetHostData(xsVar(0), timer);
	xsSetHostHooks(xsVar(0), (xsHostHooks*)&timerHooks);
	timer->self = xsVar(0);
	xsRemember(timer->self);
	xsResult = xsVar(0);
}

static Timer* toTimer(xsMachine* the, xsSlot* slot)
{
	the->scratch = *slot;
	if (fxGetHostHooks(the, &the->scratch) != (xsHostHooks*)&timerHooks) xsTypeError("no timer");
	the->scratch = *slot;
	return fxGetHostData(the, &the->scratch);
}

static void stopTimer(xsMachine* the, Timer* timer)
{
	if (!timer->isRunning) return;
	timer->isRunning = 0;
	xsForget(timer->self);
}

/* set(callback, ms, repeatMs) */
static void timerSet(xsMachine* the)
{
	startTimer(the, xsToInteger(xsArgc) > 1 ? xsToNumber(xsArg(1)) : 0, xsToInteger(xsArgc) > 2 ? xsToNumber(xsArg(2)) : -1);
}

/* repeat(callback, ms) */
static void timerRepeat(xsMachine* the)
{
	double ms = xsToNumber(xsArg(1));
	startTimer(the, ms, ms);
}

/* schedule(timer, ms, repeatMs) */
static void timerSchedule(xsMachine* the)
{
	Timer* timer = toTimer(the, &xsArg(0));
	timer->atMs = nowMs() + xsToNumber(xsArg(1));
	timer->repeatMs = xsToInteger(xsArgc) > 2 ? xsToNumber(xsArg(2)) : -1;
	timer->order = timerOrder++;
	if (!timer->isRunning) {
		timer->isRunning = 1;
		xsRemember(timer->self);
	}
}

static void timerClear(xsMachine* the)
{
	if (xsToInteger(xsArgc) > 0 && xsTest(xsArg(0))) stopTimer(the, toTimer(the, &xsArg(0)));
}

static Timer* firstTimer(void)
{
	Timer* first = NULL;
	Timer* timer;
	for (timer = timers; timer; timer = timer->next) {
		if (!timer->isRunning) continue;
		if (!first || timer->atMs < first->atMs || (timer->atMs == first->atMs && timer->order < first->order))
			first = timer;
	}
	return first;
}

double nextTimerMs(void)
{
	Timer* first = firstTimer();
	return first ? first->atMs : -1;
}

void runTimers(xsMachine* the)
{
	double until = nowMs();
	unsigned int last = timerOrder;
	for (;;) {
		Timer* timer = firstTimer();
		xsSlot self;
		/* What is set from here on waits for the next round, however soon it is due. */
		if (!timer || timer->atMs > until || timer->order >= last) return;
		self = timer->self;
		if (timer->repeatMs > 0) timer->atMs += timer->repeatMs;
		else {
			xsBeginHost(the);
			xsVars(1);
			xsVar(0) = xsAccess(timer->self);
			stopTimer(the, timer);
			call(the, &timer->callback, &self, 0, 0);
			xsEndHost(the);
			continue;
		}
		call(the, &timer->callback, &self, 0, 0);
	}
}

/* --- Time, meter, the outside ------------------------------------------------------------------------------------ */

static void timeTicks(xsMachine* the)
{
	/* 31 bits, as a program finds them on a board that has been up for a while. */
	xsResult = xsInteger((int)fmod(nowMs(), 2147483648.0));
}

static void hostMeter(xsMachine* the)
{
	xsResult = xsNumber(the->meterIndex);
}

static void hostSlots(xsMachine* the)
{
	xsResult = xsInteger(the->currentHeapCount);
}

static void hostChunkBytes(xsMachine* the)
{
	xsResult = xsInteger(the->currentChunksSize);
}

static void hostCollect(xsMachine* the)
{
	xsCollectGarbage();
}

static void hostPrint(xsMachine* the)
{
	const char* text = xsToString(xsArg(0));
	sendFrame('P', text, strlen(text), NULL, 0);
}

/* trace(...texts), as boards have it: the end of a line is the caller's. */
static void hostTrace(xsMachine* the)
{
	char line[1024];
	size_t length = 0;
	int i;
	for (i = 0; i < xsToInteger(xsArgc); i++) {
		const char* text = xsToString(xsArg(i));
		size_t count = strlen(text);
		if (count > sizeof(line) - length) count = sizeof(line) - length;
		memcpy(line + length, text, count);
		length += count;
	}
	if (length > 0 && line[length - 1] == '\n') length--;
	sendFrame('P', line, length, NULL, 0);
}

static void sendArgument(xsMachine* the, unsigned char kind)
{
	void* bytes;
	xsUnsignedValue length;
	if (xsTypeOf(xsArg(0)) == xsReferenceType) {
		_xsmcGetBuffer(the, &xsArg(0), &bytes, &length, 0);
		sendFrame(kind, bytes, length, NULL, 0);
	}
	else {
		const char* text = xsToString(xsArg(0));
		sendFrame(kind, text, strlen(text), NULL, 0);
	}
}

/* post(bytes or text): a message to the process outside. */
static void hostPost(xsMachine* the)
{
	sendArgument(the, 'M');
}

/* ask(bytes or text): waits for the answer, an ArrayBuffer, undefined when it is empty. */
static void hostAsk(xsMachine* the)
{
	Frame* frame;
	sendArgument(the, 'S');
	frame = awaitFrame('s');
	if (frame->length > 0) xsResult = xsArrayBuffer(frame->payload, (xsIntegerValue)frame->length);
	free(frame);
}

void handleMessage(xsMachine* the, const Frame* frame)
{
	xsBeginHost(the);
	{
		xsVars(2);
		xsTry {
			xsVar(0) = xsGet(xsGlobal, xsID("onHostMessage"));
			xsVar(1) = xsArrayBuffer((void*)frame->payload, (xsIntegerValue)frame->length);
			if (xsTest(xsVar(0))) (void)xsCallFunction1(xsVar(0), xsGlobal, xsVar(1));
		}
		xsCatch {
			char text[512];
			snprintf(text, sizeof(text), "uncaught %s", xsToString(xsException));
			failMachine(the, text);
		}
	}
	xsEndHost(the);
}

/* --- Texts -------------------------------------------------------------------------------------------------------- */

/* String.fromArrayBuffer(buffer, at, byteLength) of today's boards: the engine here has an older one, which stops at zeros. */
static void stringFromArrayBuffer(xsMachine* the)
{
	unsigned char* bytes;
	unsigned char* text;
	xsUnsignedValue length, at = 0, i, end = 0;
	int following = 0;
	_xsmcGetBuffer(the, &xsArg(0), (void**)&bytes, &length, 0);
	if (xsToInteger(xsArgc) > 1) at = (xsUnsignedValue)xsToInteger(xsArg(1));
	if (at > length) xsRangeError("invalid byteOffset");
	length -= at;
	if (xsToInteger(xsArgc) > 2) {
		xsUnsignedValue count = (xsUnsignedValue)xsToInteger(xsArg(2));
		if (count > length) xsRangeError("invalid byteLength");
		length = count;
	}
	_xsmcGetBuffer(the, &xsArg(0), (void**)&bytes, &i, 0);
	text = malloc(2 * (size_t)length + 1);
	for (i = 0; i < length; i++) {
		unsigned char byte = bytes[at + i];
		/* Surrogates and what is longer than it need be pass there, too. */
		if (following > 0 ? (byte & 0xC0) != 0x80 : byte >= 0x80 && byte < 0xC0) break;
		if (following > 0) following--;
		else if (byte >= 0xF0) following = 3;
		else if (byte >= 0xE0) following = 2;
		else if (byte >= 0xC0) following = 1;
		if (byte == 0) text[end++] = 0xC0;
		text[end++] = byte == 0 ? 0x80 : byte;
	}
	if (i < length || following > 0) {
		free(text);
		xsTypeError("invalid UTF-8");
	}
	text[end] = 0;
	xsResult = xsString((char*)text);
	free(text);
}

/* ArrayBuffer.fromString(text), likewise: the older one has two bytes for U+0000. */
static void arrayBufferFromString(xsMachine* the)
{
	const unsigned char* text = (const unsigned char*)xsToString(xsArg(0));
	unsigned char* bytes = malloc(strlen((const char*)text) + 1);
	xsIntegerValue length = 0;
	for (; *text; text++) {
		if (text[0] == 0xC0 && text[1] == 0x80) {
			bytes[length++] = 0;
			text++;
		}
		else
			bytes[length++] = *text;
	}
	xsResult = xsArrayBuffer(bytes, length);
	free(bytes);
}

/* --- Sockets ----------------------------------------------------------------------------------------------------- */

typedef struct Socket {
	struct Socket* next;
	unsigned int id;
	int isOpen;
	int isOver; /* the other end closed, or it failed: told when all that came is read */
	int isTold;
	int isWritableDue;
	int writable;
	unsigned char* received;
	unsigned int start, end, capacity;
	xsSlot self, onReadable, onWritable, onError;
} Socket;

static Socket* sockets = NULL;
static unsigned int socketId = 0;

static void putU32(unsigned char* bytes, unsigned int value)
{
	bytes[0] = value & 255;
	bytes[1] = (value >> 8) & 255;
	bytes[2] = (value >> 16) & 255;
	bytes[3] = (value >> 24) & 255;
}

static void destroySocket(void* data)
{
	Socket** at = &sockets;
	unsigned char id[4];
	Socket* socket = data;
	if (!socket) return;
	while (*at && *at != socket) at = &(*at)->next;
	if (*at) *at = socket->next;
	putU32(id, socket->id);
	sendFrame('C', id, 4, NULL, 0);
	free(socket->received);
	free(socket);
}

static void markSocket(xsMachine* the, void* data, xsMarkRoot markRoot)
{
	Socket* socket = data;
	if (!socket) return;
	(*markRoot)(the, &socket->onReadable);
	(*markRoot)(the, &socket->onWritable);
	(*markRoot)(the, &socket->onError);
}

static const xsHostHooks socketHooks = { destroySocket, markSocket, NULL };

static Socket* toSocket(xsMachine* the)
{
	if (xsGetHostHooks(xsThis) != (xsHostHooks*)&socketHooks) xsTypeError("no socket");
	return xsGetHostData(xsThis);
}

static void keep(xsMachine* the, xsSlot* slot, const char* name)
{
	*slot = xsUndefined;
	if (xsHas(xsArg(0), xsID(name))) *slot = xsGet(xsArg(0), xsID(name));
}

/* new TCP({ address | host, port, onReadable, onWritable, onError }) */
static void tcpConstruct(xsMachine* the)
{
	Socket* socket;
	unsigned char head[8];
	char name[256];
	int port;
	xsVars(2);
	xsVar(0) = xsGet(xsTarget, xsID("prototype"));
	port = xsToInteger(xsGet(xsArg(0), xsID("port")));
	if (xsHas(xsArg(0), xsID("address"))) xsVar(1) = xsGet(xsArg(0), xsID("address"));
	else xsVar(1) = xsGet(xsArg(0), xsID("host"));
	if (!xsTest(xsVar(1)) || port < 1 || port > 65535) xsRangeError("address or port missing");
	xsToStringBuffer(xsVar(1), name, sizeof(name));
	socket = calloc(1, sizeof(Socket));
	socket->id = ++socketId;
	keep(the, &socket->onReadable, "onReadable");
	keep(the, &socket->onWritable, "onWritable");
	keep(the, &socket->onError, "onError");
	xsResult = xsNewHostInstance(xsVar(0));
	xsSetHostData(xsResult, socket);
	socket->self = xsResult;
	xsRemember(socket->self);
	socket->next = sockets;
	sockets = socket;
	putU32(head, socket->id);
	putU32(head + 4, (unsigned int)port);
	sendFrame('O', head, 8, name, strlen(name));
}

/* read(), read(count), read(buffer): never more than there is, all of what is asked for. */
static void tcpRead(xsMachine* the)
{
	Socket* socket = toSocket(the);
	unsigned int available, wanted;
	void* target = NULL;
	xsUnsignedValue length;
	unsigned char head[8];
	if (!socket) xsUnknownError("closed");
	available = socket->end - socket->start;
	if (available == 0) return;
	wanted = available;
	if (xsToInteger(xsArgc) > 0) {
		if (xsTypeOf(xsArg(0)) == xsReferenceType) {
			_xsmcGetBuffer(the, &xsArg(0), &target, &length, 1);
			wanted = length;
		}
		else
			wanted = (unsigned int)xsToInteger(xsArg(0));
	}
	if (wanted == 0 || wanted > available) xsUnknownError("invalid");
	if (target) {
		memcpy(target, socket->received + socket->start, wanted);
		xsResult = xsInteger((int)wanted);
	}
	else
		xsResult = xsArrayBuffer(socket->received + socket->start, (xsIntegerValue)wanted);
	socket->start += wanted;
	if (socket->start == socket->end) socket->start = socket->end = 0;
	putU32(head, socket->id);
	putU32(head + 4, wanted);
	sendFrame('B', head, 8, NULL, 0);
}

/* write(buffer): all of it, or it throws. Returns the bytes that still fit. */
static void tcpWrite(xsMachine* the)
{
	Socket* socket = toSocket(the);
	void* bytes;
	xsUnsignedValue length;
	unsigned char id[4];
	if (!socket) xsUnknownError("closed");
	if (!socket->isOpen) xsUnknownError("not ready");
	if (socket->isOver) return;
	_xsmcGetBuffer(the, &xsArg(0), &bytes, &length, 0);
	if ((int)length > socket->writable) xsUnknownError("would block");
	socket->writable -= (int)length;
	putU32(id, socket->id);
	sendFrame('W', id, 4, bytes, length);
	xsResult = xsInteger(socket->writable);
}

static void tcpClose(xsMachine* the)
{
	Socket* socket = toSocket(the);
	if (!socket) return;
	xsForget(socket->self);
	xsSetHostData(xsThis, NULL);
	destroySocket(socket);
}

static Socket* findSocket(unsigned int id)
{
	Socket* socket = sockets;
	while (socket && socket->id != id) socket = socket->next;
	return socket;
}

void handleSocketFrame(xsMachine* the, const Frame* frame)
{
	Socket* socket = frame->length < 4 ? NULL : findSocket(readU32(frame->payload));
	unsigned int length;
	(void)the;
	if (!socket) return;
	switch (frame->kind) {
	case 'o': /* open, with so much room */
		socket->isOpen = 1;
		/* fall through */
	case 'w': /* so much more room */
		socket->writable += (int)readU32(frame->payload + 4);
		socket->isWritableDue = 1;
		break;
	case 'r':
		length = frame->length - 4;
		if (socket->end + length > socket->capacity) {
			socket->capacity = socket->end + length;
			socket->received = realloc(socket->received, socket->capacity);
		}
		memcpy(socket->received + socket->end, frame->payload + 4, length);
		socket->end += length;
		call(the, &socket->onReadable, &socket->self, socket->end - socket->start, 1);
		break;
	case 'z':
		socket->isOver = 1;
		break;
	}
}

void runSockets(xsMachine* the)
{
	Socket* socket = sockets;
	while (socket) {
		unsigned int id = socket->id;
		if (socket->isWritableDue) {
			socket->isWritableDue = 0;
			call(the, &socket->onWritable, &socket->self, socket->writable, 1);
		}
		else if (socket->isOver && !socket->isTold && socket->start == socket->end) {
			socket->isTold = 1;
			call(the, &socket->onError, &socket->self, 0, 0);
		}
		else {
			socket = socket->next;
			continue;
		}
		/* The list may be another now: newer ones come first. */
		socket = sockets;
		while (socket && socket->id > id) socket = socket->next;
	}
}

/* --- Installation ------------------------------------------------------------------------------------------------ */

static void method(xsMachine* the, const xsSlot* object, const char* name, xsCallback callback, int length)
{
	xsSlot function = xsNewHostFunction(callback, length);
	xsDefine(*object, xsID(name), function, xsDontEnum);
}

static void getter(xsMachine* the, xsSlot* object, const char* name, xsCallback callback)
{
	xsSlot function = xsNewHostFunction(callback, 0);
	xsDefine(*object, xsID(name), function, xsDontEnum | xsIsGetter);
}

void installHost(xsMachine* the)
{
	xsBeginHost(the);
	{
		xsVars(4);
		xsVar(0) = xsNewObject();
		method(the, &xsVar(0), "meter", hostMeter, 0);
		method(the, &xsVar(0), "slots", hostSlots, 0);
		method(the, &xsVar(0), "chunkBytes", hostChunkBytes, 0);
		method(the, &xsVar(0), "collect", hostCollect, 0);
		method(the, &xsVar(0), "print", hostPrint, 1);
		method(the, &xsVar(0), "post", hostPost, 1);
		method(the, &xsVar(0), "ask", hostAsk, 1);

		xsVar(1) = xsNewObject();
		method(the, &xsVar(1), "set", timerSet, 3);
		method(the, &xsVar(1), "repeat", timerRepeat, 2);
		method(the, &xsVar(1), "schedule", timerSchedule, 3);
		method(the, &xsVar(1), "clear", timerClear, 1);
		xsDefine(xsVar(0), xsID("Timer"), xsVar(1), xsDontEnum);

		xsVar(1) = xsNewObject();
		getter(the, &xsVar(1), "ticks", timeTicks);
		xsDefine(xsVar(0), xsID("Time"), xsVar(1), xsDontEnum);

		/* Instances are host objects because their prototype is. */
		xsVar(1) = xsNewHostObject(NULL);
		xsSetHostHooks(xsVar(1), (xsHostHooks*)&socketHooks);
		method(the, &xsVar(1), "read", tcpRead, 1);
		method(the, &xsVar(1), "write", tcpWrite, 1);
		method(the, &xsVar(1), "close", tcpClose, 0);
		xsVar(2) = xsNewHostConstructor(tcpConstruct, 1, xsVar(1));
		xsDefine(xsVar(0), xsID("TCP"), xsVar(2), xsDontEnum);

		xsDefine(xsGlobal, xsID("host"), xsVar(0), xsDontEnum);
		method(the, &xsGlobal, "trace", hostTrace, 1);
		xsVar(1) = xsGet(xsGlobal, xsID("String"));
		method(the, &xsVar(1), "fromArrayBuffer", stringFromArrayBuffer, 3);
		xsVar(1) = xsGet(xsGlobal, xsID("ArrayBuffer"));
		method(the, &xsVar(1), "fromString", arrayBufferFromString, 1);
	}
	xsEndHost(the);
}
