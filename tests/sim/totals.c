#include "tests/sim/totals.h"

#include <stdio.h>

void totals_add(struct totals *sum, const struct totals *run)
{
    for (int i = 0; i < TOTAL_COUNT; i++)
        sum->figures[i] += run->figures[i];
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        sum->faults[kind] += run->faults[kind];
        sum->runs_with[kind] += run->faults[kind] > 0;
    }
    sum->run_count++;
}

void totals_print(const struct totals *sum)
{
    static const char *const texts[] = {
#define TOTAL_TEXT(name, text) [TOTAL_##name] = text,
        TOTAL_FIGURES(TOTAL_TEXT)
#undef TOTAL_TEXT
    };
    printf("%-32s %12llu\n", "runs", (unsigned long long)sum->run_count);
    for (int i = 0; i < TOTAL_COUNT; i++)
        printf("%-32s %12llu\n", texts[i], (unsigned long long)sum->figures[i]);
    printf("%-32s %12s %9s\n", "fault", "times", "in runs");
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        printf("%-32s %12llu %9llu\n", fault_kind_text((enum fault_kind)kind),
               (unsigned long long)sum->faults[kind], (unsigned long long)sum->runs_with[kind]);
}

int totals_rare_fault(const struct totals *sum)
{
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        if (sum->runs_with[kind] * 20 < sum->run_count)
            return kind;
    return -1;
}
