/*
 * What the two halves of a worker share: frames to and from the process that started it, and the table of what a
 * machine can ask of it. Frames are described in docs/xs-engine.md.
 */
#ifndef MOTEMQ_XS_WORKER
#define MOTEMQ_XS_WORKER

#include "xsAll.h"
#include "xsScript.h"
#include "xs.h"

/* The bytes of an ArrayBuffer or of a view; throws for anything else. */
extern txInteger _xsmcGetBuffer(txMachine* the, txSlot* slot, void** data, txUnsigned* count, txBoolean writable);

typedef struct Frame {
	struct Frame* next;
	unsigned int length; /* of the payload */
	unsigned char kind;
	unsigned char payload[];
} Frame;

/* Writes one frame of up to three pieces. Ends the worker when nobody listens any more. */
void sendFrame(unsigned char kind, const void* a, size_t aLength, const void* b, size_t bLength);
/* Waits up to `ms` (below 0: for ever) for a frame, those set aside first; NULL when none came. The caller frees it. */
Frame* takeFrame(int ms);
/* Waits for a frame of this kind and sets all others aside. */
Frame* awaitFrame(unsigned char kind);
unsigned int readU32(const unsigned char* bytes);

/* Milliseconds: the machine's clock, virtual if the host has set it. */
double nowMs(void);
void setVirtualMs(double ms);
int isVirtual(void);

/* Puts `host` into the machine's global: see docs/xs-engine.md. */
void installHost(xsMachine* the);
/* When the next timer is due, or -1. */
double nextTimerMs(void);
/* Calls what is due. */
void runTimers(xsMachine* the);
/* Whatever a socket is told: opened, readable, writable, closed. */
void handleSocketFrame(xsMachine* the, const Frame* frame);
/* Tells sockets what they could not be told from within their own methods. */
void runSockets(xsMachine* the);
/* Hands a message of the host to `host.onmessage`. */
void handleMessage(xsMachine* the, const Frame* frame);
/* Ends the worker as a board would: with a reset. */
void failMachine(xsMachine* the, const char* why);

#endif
