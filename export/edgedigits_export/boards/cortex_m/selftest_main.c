/* Print the report of the network's self-test on the console. */
#include "semihosting.h"

int edgedigits_selftest(void (*put)(char character));

int main(void)
{
    return edgedigits_selftest(semihosting_put);
}
