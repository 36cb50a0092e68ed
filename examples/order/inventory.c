/* The inventory service: reserves the items of an order, all or nothing, and releases them. */
#include <string.h>

#include "examples/order/service.h"

static struct service_result reserve(const json_t *input, const char *key, unsigned attempt)
{
    size_t i;
    json_t *item;
    (void)attempt;
    json_array_foreach(json_object_get(input, "items"), i, item)
    {
        const char *sku = json_string_value(json_object_get(item, "sku"));
        if (sku == NULL || strcmp(sku, "sku-missing") == 0)
            return service_failed("https://example.com/errors/out-of-stock", 409,
                                  "an item is out of stock");
    }
    return service_completed(json_pack("{s:s, s:I}", "reservationId", key, "lines", (json_int_t)i));
}

static struct service_result release(const json_t *input, const char *key, unsigned attempt)
{
    (void)attempt;
    (void)key;
    return service_completed(
        json_pack("{s:O?}", "released", json_object_get(input, "reservationId")));
}

int main(int argc, char **argv)
{
    static const struct service_step steps[] = {
        {"inventory.reserve", reserve}, {"inventory.release", release}, {NULL, NULL}};
    return service_run("inventory", steps, argc, argv);
}
