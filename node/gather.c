#include "node/gather.h"

enum { PERIOD_US = 1000, CLIENTS_MIN = 4 /* in a period */ };

uint64_t gather_turn(struct gather *gather, uint64_t now_us, uint64_t client_count)
{
    const uint64_t past_us = now_us - gather->since_us;
    gather->heard_count += client_count;
    if (past_us >= PERIOD_US) {
        gather->is_worthwhile = gather->heard_count * PERIOD_US >= CLIENTS_MIN * past_us;
        gather->since_us = now_us;
        gather->heard_count = 0;
    }
    return gather->is_worthwhile ? now_us + PERIOD_US : now_us;
}
