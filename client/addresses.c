/* Which nodes there are: the addresses of the options, and those the cluster names. */
#include <stdio.h>

#include "client/state.h"

enum { BACKOFF_MS_MIN = 20 };

struct bytes address_text(const struct address *address)
{
    return bytes_of(address->text, address->size);
}

static bool is_address(struct bytes text)
{
    return text.size > 2 && text.size <= NAME_BYTES_MAX &&
           memchr(text.data + 1, ':', text.size - 2) != NULL;
}

static struct bytes trimmed(struct bytes text)
{
    while (text.size > 0 && text.data[0] == ' ')
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size > 0 && text.data[text.size - 1] == ' ')
        text.size--;
    return text;
}

enum pawl_error addresses_init(struct addresses *addresses, struct bytes text,
                               struct pawl_diag *diag)
{
    addresses->backoff_ms_max = RECONNECT_BACKOFF_MS_MAX;
    const uint8_t *at = text.data, *end = text.size > 0 ? text.data + text.size : text.data;
    do {
        const uint8_t *comma = at == end ? NULL : memchr(at, ',', (size_t)(end - at));
        const uint8_t *stop = comma != NULL ? comma : end;
        struct bytes one = trimmed(bytes_of(at, (size_t)(stop - at)));
        if (!is_address(one))
            return diag_fail(diag, PAWL_E_INVALID, "\"%.*s\" is no address like host:port",
                             (int)(one.size < 100 ? one.size : 100), (const char *)one.data);
        size_t place = address_learn(addresses, one, 0);
        if (place == ADDRESSES_MAX)
            return diag_fail(diag, PAWL_E_INVALID, "more than %d addresses", ADDRESSES_MAX);
        addresses->at[place].is_seed = true;
        at = comma != NULL ? comma + 1 : end;
        if (comma == NULL)
            return PAWL_OK;
    } while (true);
}

size_t address_learn(struct addresses *addresses, struct bytes text, uint64_t node)
{
    size_t vacant = ADDRESSES_MAX;
    if (!is_address(text))
        return ADDRESSES_MAX;
    for (size_t i = 0; i < ADDRESSES_MAX; i++) {
        struct address *address = &addresses->at[i];
        if (address->size == 0 && vacant == ADDRESSES_MAX)
            vacant = i;
        if (address->size > 0 && bytes_equal(address_text(address), text)) {
            if (node != 0)
                address->node = node;
            return i;
        }
    }
    if (vacant < ADDRESSES_MAX) {
        struct address *address = &addresses->at[vacant];
        *address = (struct address){.size = text.size, .node = node};
        memcpy(address->text, text.data, text.size);
    }
    return vacant;
}

static bool is_member(const struct list *members, const struct address *address)
{
    const struct msg_member *member = members->elements;
    for (size_t i = 0; i < members->count; i++)
        if (bytes_equal(member[i].client_address, address_text(address)))
            return true;
    return false;
}

void addresses_keep(struct client_core *core, const struct list *members)
{
    bool is_linked[ADDRESSES_MAX] = {false};
    for (size_t i = 0; i < LINKS_MAX; i++)
        if (core->links[i].state != LINK_NONE)
            is_linked[core->links[i].address] = true;
    for (size_t i = 0; i < ADDRESSES_MAX; i++) {
        struct address *address = &core->addresses.at[i];
        if (!address->is_seed && !is_linked[i] && !is_member(members, address))
            address->size = 0;
    }
}

void address_failed(struct client_core *core, size_t address)
{
    struct address *failed = &core->addresses.at[address];
    failed->dial_at_ms = core->now_ms + core_backoff_ms(core, BACKOFF_MS_MIN, failed->fail_count,
                                                        core->addresses.backoff_ms_max);
    failed->fail_count++;
}
