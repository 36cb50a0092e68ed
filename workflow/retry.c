/* Retries: whether, and after how long. Retry number n from 1: constant d, linear d*n, exponential
 * d*factor^(n-1), never more than maxDelay; then a jitter drawn evenly from its range is added. */
#include "workflow/decide.h"

#include "workflow/duration.h"

uint64_t wf_backoff_us(enum backoff_kind kind, uint64_t delay_us, double factor, uint64_t max_us,
                       uint32_t count)
{
    double delay = (double)delay_us;
    switch (kind) {
    case BACKOFF_CONSTANT:
        break;
    case BACKOFF_LINEAR:
        delay *= count;
        break;
    case BACKOFF_EXPONENTIAL:
        if (delay > 0 && factor > 1)
            for (uint32_t i = 1; i < count && delay < (double)max_us; i++)
                delay *= factor;
        break;
    }
    return delay < (double)max_us ? (uint64_t)delay : max_us;
}

static enum pawl_error jitter_draw(struct decide *decide, struct run *run,
                                   const struct place *place, const struct retry_policy *policy,
                                   uint64_t *jitter_out)
{
    uint64_t from_us, to_us;
    *jitter_out = 0;
    if (!policy->jitter_to.is_given)
        return PAWL_OK;
    TRY(wf_duration(decide, run, place, &policy->jitter_from, &from_us));
    TRY(wf_duration(decide, run, place, &policy->jitter_to, &to_us));
    *jitter_out = from_us;
    if (to_us > from_us)
        *jitter_out += wf_random(decide) % (to_us - from_us + 1);
    return PAWL_OK;
}

enum pawl_error wf_retry_choose(struct decide *decide, struct run *run, const struct place *place,
                                const struct retry_policy *policy, uint32_t retries,
                                uint64_t began_us, struct retry_choice *choice_out)
{
    uint64_t delay_us, max_us = DURATION_US_MAX, jitter_us, total_us;
    *choice_out = (struct retry_choice){.is_retried = false};
    if (policy->has_count && retries >= policy->count)
        return PAWL_OK;
    TRY(wf_duration(decide, run, place, &policy->delay, &delay_us));
    if (policy->delay_max.is_given)
        TRY(wf_duration(decide, run, place, &policy->delay_max, &max_us));
    TRY(jitter_draw(decide, run, place, policy, &jitter_us));
    delay_us =
        jitter_us + wf_backoff_us(policy->backoff, delay_us, policy->factor, max_us, retries + 1);
    if (policy->total_limit.is_given) {
        TRY(wf_duration(decide, run, place, &policy->total_limit, &total_us));
        if (decide->context->now_us + delay_us > began_us + total_us)
            return PAWL_OK;
    }
    *choice_out = (struct retry_choice){.is_retried = true, .delay_us = delay_us};
    return PAWL_OK;
}
