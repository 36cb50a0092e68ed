/* Definitions from any bytes: refused with a diag, or compiled to something that compiles the same from its stored form. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "workflow/definition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct definition *definition = NULL, *loaded = NULL;
    struct pawl_diag diag = {.line = 0};
    if (definition_read(bytes_of(data, size), &definition, &diag) != PAWL_OK) {
        assert(definition == NULL);
        return 0;
    }
    enum pawl_error error = definition_load(definition_value(definition), &loaded, &diag);
    assert(error == PAWL_OK);
    assert(bytes_equal(definition_value(definition), definition_value(loaded)));
    definition_free(loaded);
    definition_free(definition);
    return 0;
}
