/* The review service: looks at large orders, and refuses the very large ones. */
#include "examples/order/service.h"

static struct service_result approve(const json_t *input, const char *key, unsigned attempt)
{
    (void)attempt;
    (void)key;
    const double total = json_number_value(json_object_get(input, "total"));
    if (total > 5000)
        return service_failed("https://example.com/errors/review-refused", 403,
                              "the reviewer refused the order");
    return service_completed(json_pack("{s:b, s:s}", "approved", 1, "by", "reviewer-1"));
}

int main(int argc, char **argv)
{
    static const struct service_step steps[] = {{"review.approve", approve}, {NULL, NULL}};
    return service_run("review", steps, argc, argv);
}
