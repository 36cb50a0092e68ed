/* The payment service: charges cards and refunds them. Cards named declined-... are declined for
 * good, flaky-... fail twice and then work.
 */
#include <string.h>

#include "examples/order/service.h"

static struct service_result charge(const json_t *input, const char *key, unsigned attempt)
{
    const char *card = json_string_value(json_object_get(input, "card"));
    if (card == NULL)
        return service_failed("validation", 400, "the charge names no card");
    if (strncmp(card, "declined-", 9) == 0)
        return service_failed("https://example.com/errors/card-declined", 402,
                              "the bank declined the card");
    if (strncmp(card, "flaky-", 6) == 0 && attempt <= 2)
        return service_unavailable("the bank does not answer");
    return service_completed(
        json_pack("{s:s, s:O}", "paymentId", key, "amount", json_object_get(input, "amount")));
}

static struct service_result refund(const json_t *input, const char *key, unsigned attempt)
{
    (void)attempt;
    (void)key;
    return service_completed(json_pack("{s:O?}", "refunded", json_object_get(input, "paymentId")));
}

int main(int argc, char **argv)
{
    static const struct service_step steps[] = {
        {"payment.charge", charge}, {"payment.refund", refund}, {NULL, NULL}};
    return service_run("payment", steps, argc, argv);
}
