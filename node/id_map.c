#include "node/id_map.h"

#include <stdlib.h>

/* The last step of splitmix64: every bit moves about half of the others. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t slot_of(const struct id_map *map, struct id128 key)
{
    const uint64_t hash = mix(mix(le64_get(key.byte) + map->seed) ^ le64_get(key.byte + 8));
    return (size_t)hash & (map->slot_count - 1);
}

/* The slot that holds key, or the free one where it belongs. */
static struct id_map_slot *find(const struct id_map *map, struct id128 key)
{
    size_t at = slot_of(map, key);
    while (map->slots[at].value != NULL && !id128_equal(map->slots[at].key, key))
        at = (at + 1) & (map->slot_count - 1);
    return &map->slots[at];
}

void *id_map_get(const struct id_map *map, struct id128 key)
{
    return map->slot_count == 0 ? NULL : find(map, key)->value;
}

static bool grow(struct id_map *map)
{
    struct id_map bigger = {.slot_count = map->slot_count == 0 ? 16 : map->slot_count * 2,
                            .seed = map->seed};
    bigger.slots = calloc(bigger.slot_count, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return false;
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].value != NULL)
            *find(&bigger, map->slots[i].key) = map->slots[i];
    bigger.count = map->count;
    free(map->slots);
    *map = bigger;
    return true;
}

bool id_map_put(struct id_map *map, struct id128 key, void *value)
{
    struct id_map_slot *held = map->slot_count == 0 ? NULL : find(map, key);
    if (held != NULL && held->value != NULL) {
        held->value = value;
        return true;
    }
    if ((map->count + 1) * 3 > map->slot_count * 2 && !grow(map))
        return false;
    *find(map, key) = (struct id_map_slot){.key = key, .value = value};
    map->count++;
    return true;
}

void id_map_remove(struct id_map *map, struct id128 key)
{
    if (map->slot_count == 0)
        return;
    struct id_map_slot *slot = find(map, key);
    if (slot->value == NULL)
        return;
    slot->value = NULL;
    map->count--;
    /* Close the gap: what follows may have been pushed past it. */
    size_t at = (size_t)(slot - map->slots);
    for (at = (at + 1) & (map->slot_count - 1); map->slots[at].value != NULL;
         at = (at + 1) & (map->slot_count - 1)) {
        struct id_map_slot moved = map->slots[at];
        map->slots[at].value = NULL;
        *find(map, moved.key) = moved;
    }
}

void id_map_done(struct id_map *map)
{
    free(map->slots);
    *map = (struct id_map){0};
}

size_t id_map_reach(const struct id_map *map)
{
    size_t reach = 0;
    for (size_t at = 0; at < map->slot_count; at++) {
        if (map->slots[at].value == NULL)
            continue;
        const size_t looked = ((at - slot_of(map, map->slots[at].key)) & (map->slot_count - 1)) + 1;
        reach = looked > reach ? looked : reach;
    }
    return reach;
}

struct id128 id_of_number(uint64_t number)
{
    struct id128 id = {0};
    be64_put(id.byte + 8, number);
    return id;
}
