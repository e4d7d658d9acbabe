/*
 * A worker: one XS machine of the size of a board, driven by frames on file descriptors 3 (in) and 4 (out).
 *
 * Preloaded modules live in a machine of their own that is shared and frozen before the board's machine is cloned from
 * it, as a device has them in flash: they take no room in the board's heap. Knows nothing of MQTT.
 */
#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include "worker.h"

#define MAP_MAX 512

static struct { char* specifier; char* path; } map[MAP_MAX];
static int mapCount = 0;
static Frame* asideFirst = NULL;
static Frame** asideLast = &asideFirst;
static double virtualMs = -1;
static int isEnded = 0;

/* --- Frames ------------------------------------------------------------------------------------------------------ */

static void writeAll(const void* bytes, size_t length)
{
	const char* at = bytes;
	while (length > 0) {
		ssize_t count = write(4, at, length);
		if (count < 0) {
			if (errno == EINTR) continue;
			_exit(0);
		}
		at += count;
		length -= (size_t)count;
	}
}

void sendFrame(unsigned char kind, const void* a, size_t aLength, const void* b, size_t bLength)
{
	static unsigned char* buffer = NULL;
	static size_t capacity = 0;
	size_t length = 1 + aLength + bLength;
	if (capacity < length + 4) {
		capacity = length + 4;
		buffer = realloc(buffer, capacity);
	}
	buffer[0] = length & 255;
	buffer[1] = (length >> 8) & 255;
	buffer[2] = (length >> 16) & 255;
	buffer[3] = (length >> 24) & 255;
	buffer[4] = kind;
	if (aLength) memcpy(buffer + 5, a, aLength);
	if (bLength) memcpy(buffer + 5 + aLength, b, bLength);
	writeAll(buffer, length + 4);
}

static void readAll(void* bytes, size_t length)
{
	char* at = bytes;
	while (length > 0) {
		ssize_t count = read(3, at, length);
		if (count == 0) _exit(0);
		if (count < 0) {
			if (errno == EINTR) continue;
			_exit(0);
		}
		at += count;
		length -= (size_t)count;
	}
}

unsigned int readU32(const unsigned char* bytes)
{
	return bytes[0] | ((unsigned)bytes[1] << 8) | ((unsigned)bytes[2] << 16) | ((unsigned)bytes[3] << 24);
}

static Frame* readFrame(void)
{
	unsigned char head[5];
	Frame* frame;
	unsigned int length;
	readAll(head, 5);
	length = readU32(head) - 1;
	frame = malloc(sizeof(Frame) + length + 1);
	frame->next = NULL;
	frame->kind = head[4];
	frame->length = length;
	readAll(frame->payload, length);
	frame->payload[length] = 0; /* texts end somewhere */
	return frame;
}

Frame* takeFrame(int ms)
{
	struct pollfd fd = { 3, POLLIN, 0 };
	Frame* frame = asideFirst;
	if (frame) {
		asideFirst = frame->next;
		if (!asideFirst) asideLast = &asideFirst;
		return frame;
	}
	if (poll(&fd, 1, ms) <= 0) return NULL;
	return readFrame();
}

Frame* awaitFrame(unsigned char kind)
{
	for (;;) {
		Frame* frame = readFrame();
		if (frame->kind == kind) return frame;
		*asideLast = frame;
		asideLast = &frame->next;
	}
}

/* --- Clock ------------------------------------------------------------------------------------------------------- */

double nowMs(void)
{
	struct timespec now;
	if (virtualMs >= 0) return virtualMs;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1000.0 + (double)(now.tv_nsec / 1000000);
}

void setVirtualMs(double ms)
{
	virtualMs = ms;
}

int isVirtual(void)
{
	return virtualMs >= 0;
}

/* --- What the engine asks of its platform ------------------------------------------------------------------------ */

void failMachine(xsMachine* the, const char* why)
{
	(void)the;
	sendFrame('X', why, strlen(why), NULL, 0);
	_exit(1);
}

void fxAbort(txMachine* the, int status)
{
	char text[512];
	const char* why = "unknown reason";
	switch (status) {
	case XS_STACK_OVERFLOW_EXIT: why = "stack overflow"; break;
	case XS_NOT_ENOUGH_MEMORY_EXIT: why = "memory full"; break;
	case XS_NO_MORE_KEYS_EXIT: why = "not enough keys"; break;
	case XS_TOO_MUCH_COMPUTATION_EXIT: why = "too much computation"; break;
	case XS_UNHANDLED_EXCEPTION_EXIT: why = "unhandled exception"; break;
	case XS_UNHANDLED_REJECTION_EXIT: why = "unhandled rejection"; break;
	}
	if (status == XS_UNHANDLED_EXCEPTION_EXIT || status == XS_UNHANDLED_REJECTION_EXIT)
		snprintf(text, sizeof(text), "%s: %s", why, fxToString(the, &mxException));
	else
		snprintf(text, sizeof(text), "%s", why);
	failMachine(the, text);
}

/*
 * Memory of the machine that is shared, in whole pages: once it is shared nothing may write there, as nothing can write
 * to a board's flash. Whoever does is found out here and not on the board.
 */
#define PRELOADED_MAX 64

static struct { char* start; size_t size; } preloaded[PRELOADED_MAX];
static int preloadedCount = 0;
static int isPreloading = 1;

static void* allocate(size_t size)
{
	void* memory;
	if (!isPreloading || preloadedCount == PRELOADED_MAX) return c_malloc(size);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) return NULL;
	preloaded[preloadedCount].start = memory;
	preloaded[preloadedCount++].size = size;
	return memory;
}

static void release(void* memory)
{
	int i;
	for (i = 0; i < preloadedCount; i++)
		if (preloaded[i].start == memory) return; /* when the worker ends */
	c_free(memory);
}

static void handleFault(int number, siginfo_t* info, void* context)
{
	char* at = info->si_addr;
	int i;
	(void)context;
	for (i = 0; i < preloadedCount; i++)
		if (at >= preloaded[i].start && at < preloaded[i].start + preloaded[i].size)
			failMachine(NULL, "a write to what is preloaded, which a board has in flash");
	signal(number, SIG_DFL);
}

/* As the linker of a board's firmware does: what lies in chunks of the shared machine is no chunk to a board's collector. */
static void convertSlot(txSlot* slot)
{
	switch (slot->kind) {
	case XS_STRING_KIND: slot->kind = XS_STRING_X_KIND; break;
	case XS_BIGINT_KIND: slot->kind = XS_BIGINT_X_KIND; break;
	case XS_CODE_KIND: slot->kind = XS_CODE_X_KIND; break;
	case XS_KEY_KIND: slot->kind = XS_KEY_X_KIND; break;
	case XS_ARRAY_KIND: {
		txSlot* item = slot->value.array.address;
		txInteger count = item ? (txInteger)(((txChunk*)((txByte*)item - sizeof(txChunk)))->size / sizeof(txSlot)) : 0;
		if (count > (txInteger)slot->value.array.length) count = (txInteger)slot->value.array.length;
		while (count-- > 0) convertSlot(item++);
		break;
	}
	}
}

static void convertPreloaded(txMachine* the)
{
	txSlot* heap;
	txSlot* slot;
	for (heap = the->firstHeap; heap; heap = heap->next)
		for (slot = heap + 1; slot < heap->value.reference; slot++) convertSlot(slot);
}

static void protectPreloaded(txMachine* the)
{
	struct sigaction action;
	/*
	 * The engine remembers there which globals it has looked up. The board's collector may come across it, and takes it
	 * for a chunk: one that does not move.
	 */
	txSlot* table = mxGlobal.value.reference->next;
	size_t size = table->value.table.length * sizeof(txSlot*);
	txChunk* chunk = c_calloc(1, sizeof(txChunk) + size);
	int i;
	memcpy(chunk + 1, table->value.table.address, size);
	table->value.table.address = (txSlot**)(chunk + 1);
	memset(&action, 0, sizeof(action));
	action.sa_sigaction = handleFault;
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	for (i = 0; i < preloadedCount; i++) mprotect(preloaded[i].start, preloaded[i].size, PROT_READ);
}

void* fxAllocateChunks(txMachine* the, txSize size)
{
	(void)the;
	return allocate((size_t)size);
}

void fxFreeChunks(txMachine* the, void* chunks)
{
	(void)the;
	release(chunks);
}

/* A board's heap does not grow: what it begins with is all there is. (For chunks the engine sees to that itself.) */
txSlot* fxAllocateSlots(txMachine* the, txSize count)
{
	if (the->slotsLeft >= 0) {
		if (the->slotsLeft < count) return NULL;
		the->slotsLeft -= count;
	}
	return allocate((size_t)count * sizeof(txSlot));
}

void fxFreeSlots(txMachine* the, void* slots)
{
	(void)the;
	release(slots);
}

/* Limit of the machine that is being made, its stack included; below 0 for none. */
static long slotsLimit = -1;

void fxCreateMachinePlatform(txMachine* the)
{
	the->slotsLeft = slotsLimit;
}

void fxDeleteMachinePlatform(txMachine* the)
{
	(void)the;
}

void fxQueuePromiseJobs(txMachine* the)
{
	the->promiseJobs = 1;
}

static const char* lookUp(const char* specifier)
{
	int i;
	for (i = 0; i < mapCount; i++)
		if (!strcmp(map[i].specifier, specifier)) return map[i].path;
	return NULL;
}

/* A module's identity is the path of its file. */
txID fxFindModule(txMachine* the, txSlot* realm, txID moduleID, txSlot* slot)
{
	char name[C_PATH_MAX], joined[2 * C_PATH_MAX], real[C_PATH_MAX];
	const char* path = name;
	(void)realm;
	fxToStringBuffer(the, slot, name, sizeof(name));
	if (name[0] == '.') {
		const char* from = moduleID == XS_NO_ID ? NULL : fxGetKeyName(the, moduleID);
		const char* slash = from ? strrchr(from, '/') : NULL;
		if (!slash) return XS_NO_ID;
		snprintf(joined, sizeof(joined), "%.*s/%s", (int)(slash - from), from, name);
		path = joined;
	}
	else if (name[0] != '/') {
		path = lookUp(name);
		if (!path) return XS_NO_ID;
	}
	if (!realpath(path, real)) return XS_NO_ID;
	return fxNewNameC(the, real);
}

/*
 * As the linker of a board's firmware does with modules that it does not preload: functions and texts are used where
 * they are in the code, not copied to the heap. So the code has to stay, and the engine must not free it with the script.
 */
static void keepCode(txMachine* the, txScript* script)
{
	txByte* code = script->codeBuffer;
	txByte* end = code + script->codeSize;
	txByte* symbols = script->symbolsBuffer;
	txID* ids;
	txID count, i;
	mxDecodeID(symbols, count);
	ids = c_malloc(count * sizeof(txID));
	ids[0] = XS_NO_ID;
	for (i = 1; i < count; i++) {
		ids[i] = fxNewNameC(the, (txString)symbols);
		symbols += strlen((char*)symbols) + 1;
	}
	while (code < end) {
		txS1 size;
		switch (*(txU1*)code) {
		case XS_CODE_CODE_1: *code = (txByte)XS_CODE_CODE_ARCHIVE_1; break;
		case XS_CODE_CODE_2: *code = (txByte)XS_CODE_CODE_ARCHIVE_2; break;
		case XS_CODE_CODE_4: *code = (txByte)XS_CODE_CODE_ARCHIVE_4; break;
		case XS_CODE_STRING_1: *code = (txByte)XS_CODE_STRING_ARCHIVE_1; break;
		case XS_CODE_STRING_2: *code = (txByte)XS_CODE_STRING_ARCHIVE_2; break;
		case XS_CODE_STRING_4: *code = (txByte)XS_CODE_STRING_ARCHIVE_4; break;
		}
		/* Bytes of the instruction; 0: a name follows, below: so many bytes of a length. */
		size = gxCodeSizes[*(txU1*)code];
		if (size > 0) code += size;
		else if (size == 0) {
			txID id;
			code++;
			mxDecodeID(code, id);
			if (id != XS_NO_ID) {
				code -= sizeof(txID);
				mxEncodeID(code, ids[id]);
			}
		}
		else {
			txS4 length;
			txU2 length2;
			code++;
			if (size == -1) code += 1 + *(txU1*)code;
			else if (size == -2) { mxDecode2(code, length2); code += length2; }
			else { mxDecode4(code, length); code += length; }
		}
	}
	c_free(ids);
	c_free(script->symbolsBuffer);
	script->symbolsBuffer = NULL;
}

void fxLoadModule(txMachine* the, txSlot* module, txID moduleID)
{
	char* path = fxGetKeyName(the, moduleID);
	txParser parserRecord;
	txParser* parser = &parserRecord;
	txParserJump jump;
	txScript* script = NULL;
	txString name = NULL;
	FILE* file = fopen(path, "r");
	if (!file) return;
	fxInitializeParser(parser, the, the->parserBufferSize, the->parserTableModulo);
	parser->firstJump = &jump;
	if (c_setjmp(jump.jmp_buf) == 0) {
		parser->path = fxNewParserSymbol(parser, path);
		fxParserTree(parser, file, (txGetter)fgetc, 0, &name);
		fxParserHoist(parser);
		fxParserBind(parser);
		script = fxParserCode(parser);
	}
	fclose(file);
	fxTerminateParser(parser);
	if (script) {
		unsigned char size[4] = {
			script->codeSize & 255, (script->codeSize >> 8) & 255, (script->codeSize >> 16) & 255, 0
		};
		sendFrame('Z', size, 4, path, strlen(path));
		/* Not of those that are preloaded: the linker leaves the texts in their code to be copied, each time. */
		if (!isPreloading) keepCode(the, script);
		fxResolveModule(the, module, moduleID, script, C_NULL, C_NULL);
	}
}

/* --- Running ----------------------------------------------------------------------------------------------------- */

static void runJobs(txMachine* the)
{
	while (the->promiseJobs) {
		the->promiseJobs = 0;
		fxRunPromiseJobs(the);
	}
	fxEndJob(the);
	fxCheckUnhandledRejections(the, 1);
}

/* What a frame and all that it set off has cost, and when the machine wants to be called again. */
static void sendState(unsigned char kind, txMachine* the)
{
	double numbers[9];
	numbers[0] = the->meterIndex;
	numbers[1] = the->currentHeapCount;
	numbers[2] = the->peakHeapCount;
	numbers[3] = the->maximumHeapCount;
	numbers[4] = the->currentChunksSize;
	numbers[5] = the->peakChunksSize;
	numbers[6] = the->maximumChunksSize;
	numbers[7] = nextTimerMs();
	numbers[8] = (double)sizeof(txSlot);
	sendFrame(kind, numbers, sizeof(numbers), NULL, 0);
}

static void importFulfilled(txMachine* the)
{
	(void)the;
	sendFrame('D', NULL, 0, NULL, 0);
}

static void importRejected(txMachine* the)
{
	char text[1024];
	fxToStringBuffer(the, mxArgv(0), text, sizeof(text));
	sendFrame('F', text, strlen(text), NULL, 0);
}

static void importModule(txMachine* the, const char* specifier)
{
	fxBeginHost(the);
	{
		mxTry(the) {
			txSlot* realm = mxProgram.value.reference->next->value.module.realm;
			mxPushStringC((txString)specifier);
			fxRunImport(the, realm, XS_NO_ID);
			mxDub();
			fxGetID(the, mxID(_then));
			mxCall();
			fxNewHostFunction(the, importFulfilled, 1, XS_NO_ID, XS_NO_ID);
			fxNewHostFunction(the, importRejected, 1, XS_NO_ID, XS_NO_ID);
			mxRunCount(2);
			mxPop();
		}
		mxCatch(the) {
			fxAbort(the, XS_UNHANDLED_EXCEPTION_EXIT);
		}
	}
	fxEndHost(the);
	runJobs(the);
}

static void evaluate(xsMachine* the, const char* source)
{
	xsBeginHost(the);
	{
		xsVars(1);
		xsTry {
			xsVar(0) = xsGet(xsGlobal, xsID("eval"));
			xsVar(0) = xsCallFunction1(xsVar(0), xsGlobal, xsString(source));
			xsVar(0) = xsCall1(xsGet(xsGlobal, xsID("JSON")), xsID("stringify"), xsVar(0));
			sendFrame('V', xsToString(xsVar(0)), strlen(xsToString(xsVar(0))), NULL, 0);
		}
		xsCatch {
			sendFrame('F', xsToString(xsException), strlen(xsToString(xsException)), NULL, 0);
		}
	}
	xsEndHost(the);
	runJobs(the);
}

/*
 * The machine that modules are loaded into before there is a board's. Large from the start: the engine grows only when
 * a collection frees nothing, so a machine that is nearly full does little else than collect.
 */
static xsMachine* createLargeMachine(void)
{
	xsCreation creation = {
		64 * 1024 * 1024, 16 * 1024 * 1024, 1024 * 1024, 256 * 1024, 64 * 1024, 16000, 1000, 1993, 127, 1024 * 1024, 1993, 0
	};
	xsMachine* the = xsCreateMachine(&creation, "motemq", NULL);
	installHost(the);
	return the;
}

/* 'c': chunk bytes, slots, stack slots, keys; 0 slots keep the machine as it is. */
static xsMachine* createBoard(xsMachine* large, const Frame* frame)
{
	xsCreation creation = { 0 };
	xsMachine* the;
	unsigned int slots = readU32(frame->payload + 4);
	if (slots == 0) return large;
	creation.initialChunkSize = (txSize)readU32(frame->payload);
	creation.initialHeapCount = (txSize)slots;
	creation.stackCount = (txSize)readU32(frame->payload + 8);
	creation.initialKeyCount = (txSize)readU32(frame->payload + 12);
	creation.incrementalKeyCount = 32;
	creation.nameModulo = large->nameModulo;
	creation.symbolModulo = large->symbolModulo;
	creation.parserBufferSize = 64 * 1024;
	creation.parserTableModulo = 127;
	fxShareMachine(large);
	convertPreloaded(large);
	isPreloading = 0;
	slotsLimit = (long)slots + creation.stackCount;
	the = fxCloneMachine(&creation, large, "board", NULL);
	protectPreloaded(large);
	if (!the) failMachine(large, "no machine of this size");
	return the;
}

static void define(const Frame* frame)
{
	const char* specifier = (const char*)frame->payload;
	if (mapCount == MAP_MAX) failMachine(NULL, "too many modules");
	map[mapCount].specifier = strdup(specifier);
	map[mapCount].path = strdup(specifier + strlen(specifier) + 1);
	mapCount++;
}

static void handleFrame(xsMachine** machine, const Frame* frame)
{
	xsMachine* the = *machine;
	switch (frame->kind) {
	case 'm': define(frame); return;
	case 'c': *machine = the = createBoard(the, frame); break;
	case 'i': importModule(the, (const char*)frame->payload); break;
	case 'e': evaluate(the, (const char*)frame->payload); break;
	case 'M': handleMessage(the, frame); break;
	case 't': { double ms; memcpy(&ms, frame->payload, sizeof(ms)); if (ms > virtualMs) setVirtualMs(ms); break; }
	case 'g': xsCollectGarbage(); sendState('G', the); return;
	case 'k': the->peakHeapCount = the->currentHeapCount; the->peakChunksSize = the->currentChunksSize; break;
	case 'q': isEnded = 1; return;
	default: handleSocketFrame(the, frame);
	}
}

/* Everything that a frame, or time, set off. */
static void settle(xsMachine* the)
{
	runTimers(the);
	runJobs(the);
	runSockets(the);
	runJobs(the);
}

int main(void)
{
	xsMachine* the;
	signal(SIGPIPE, SIG_IGN);
	/* A terminal sends Ctrl-C to all of its processes: what it means is for the one that started this to say. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	fxInitializeSharedCluster();
	the = createLargeMachine();
	sendFrame('R', NULL, 0, NULL, 0);
	while (!isEnded) {
		double at = nextTimerMs();
		int ms = -1;
		Frame* frame;
		if (at >= 0 && !isVirtual()) {
			double left = at - nowMs();
			ms = left <= 0 ? 0 : left > 60000 ? 60000 : (int)left;
		}
		frame = takeFrame(ms);
		if (frame) {
			int isAnswered = frame->kind != 'm' && frame->kind != 'g' && frame->kind != 'q';
			handleFrame(&the, frame);
			if (!isEnded && frame->kind != 'm') settle(the);
			if (isAnswered) sendState('A', the);
			free(frame);
		}
		else
			settle(the);
	}
	return 0;
}
