/*
 * Deep sleep for a time, by ESP-IDF's RTC timer. Does not return.
 */
#include "xsmc.h"
#include "xsHost.h"
#include "esp_sleep.h"

void xs_motemq_deep_sleep(xsMachine *the)
{
	double ms = xsmcToNumber(xsArg(0));
	if (!((ms >= 1) && (ms <= 2592000000.0)))
		xsRangeError("deep sleep takes 1 to 2,592,000,000 ms");
	esp_deep_sleep((uint64_t)(ms * 1000));
}
