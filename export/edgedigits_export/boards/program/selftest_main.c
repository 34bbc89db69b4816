/* Print the report of the network's self-test on the console. */
#include "board.h"

int edgedigits_selftest(void (*put)(char character));

int main(void)
{
    return edgedigits_selftest(board_put);
}
