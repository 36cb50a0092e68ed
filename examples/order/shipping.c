/* The shipping service: books a parcel. */
#include "examples/order/service.h"

static struct service_result book(const json_t *input, const char *key, unsigned attempt)
{
    (void)attempt;
    const json_t *city = json_object_get(json_object_get(input, "address"), "city");
    if (!json_is_string(city))
        return service_failed("validation", 400, "the address names no city");
    return service_completed(
        json_pack("{s:s, s:s}", "trackingId", key, "city", json_string_value(city)));
}

int main(int argc, char **argv)
{
    static const struct service_step steps[] = {{"shipping.book", book}, {NULL, NULL}};
    return service_run("shipping", steps, argc, argv);
}
