#include "workflow/expression/datum.h"

#include "workflow/expression/work.h"

enum { INDEX_FROM = 16, CAPACITY_MIN = 4, VIEW_BYTES_SMALL = 512 };

struct datum datum_unsigned(uint64_t integer)
{
    if (integer <= INT64_MAX)
        return datum_integer((int64_t)integer);
    return (struct datum){.kind = DATUM_UNSIGNED, .unsigned_integer = integer};
}

const char *datum_type(struct datum datum)
{
    static const char *const types[] = {"null",   "boolean", "boolean", "number", "number",
                                        "number", "string",  "binary",  "array",  "object"};
    return types[datum.kind];
}

/* Past the rest of a value whose head was read; how many values that was. */
static uint64_t skip_rest(struct value_cursor *cursor, const struct value_head *head)
{
    uint64_t node_count = 0;
    uint64_t pending = head->kind == VALUE_MAP     ? 2 * (uint64_t)head->count
                       : head->kind == VALUE_ARRAY ? head->count
                                                   : 0;
    for (struct value_head next; pending > 0; pending--, node_count++) {
        if (value_next(cursor, &next) != PAWL_OK)
            return node_count;
        if (next.kind == VALUE_MAP)
            pending += 2 * (uint64_t)next.count;
        else if (next.kind == VALUE_ARRAY)
            pending += next.count;
    }
    return node_count;
}

static struct datum datum_of_head(const struct value_head *head, const uint8_t *begin,
                                  const uint8_t *end)
{
    switch (head->kind) {
    case VALUE_NULL:
        return datum_null();
    case VALUE_BOOL:
        return datum_bool(head->boolean);
    case VALUE_INTEGER:
        return datum_integer(head->integer);
    case VALUE_UNSIGNED:
        return datum_unsigned(head->unsigned_integer);
    case VALUE_FLOAT:
        return datum_real(head->real);
    case VALUE_STRING:
        return datum_text(head->bytes);
    case VALUE_BINARY:
        return (struct datum){
            .kind = DATUM_BINARY, .size = (uint32_t)head->bytes.size, .text = head->bytes.data};
    case VALUE_ARRAY:
    case VALUE_MAP:
        break;
    }
    return (struct datum){.kind = head->kind == VALUE_ARRAY ? DATUM_ARRAY : DATUM_OBJECT,
                          .is_encoded = true,
                          .depth = 1,
                          .size = (uint32_t)(end - begin),
                          .encoded = begin};
}

/* The datum at the cursor, which moves past it. */
static struct datum datum_take(struct value_cursor *cursor, uint64_t *node_count)
{
    const uint8_t *begin = cursor->at;
    struct value_head head;
    if (value_next(cursor, &head) != PAWL_OK)
        return datum_null();
    *node_count += 1 + skip_rest(cursor, &head);
    return datum_of_head(&head, begin, cursor->at);
}

struct datum datum_of_value(struct bytes value)
{
    struct value_cursor cursor = value_cursor_of(value);
    struct value_head head;
    if (value.size == 0 || value_next(&cursor, &head) != PAWL_OK)
        return datum_null();
    return datum_of_head(&head, value.data, value.data + value.size);
}

static struct value_cursor cursor_of_encoded(struct datum datum, struct value_head *head)
{
    struct value_cursor cursor = {datum.encoded, datum.encoded + datum.size};
    if (value_next(&cursor, head) != PAWL_OK)
        head->count = 0;
    return cursor;
}

uint32_t datum_count(struct datum container)
{
    if (!container.is_encoded)
        return container.size;
    struct value_head head;
    cursor_of_encoded(container, &head);
    return head.count;
}

static struct datum_items *items_new(struct work *work, uint32_t capacity)
{
    struct datum_items *items =
        work_alloc_charged(work, sizeof *items + capacity * sizeof(struct datum));
    if (items != NULL)
        items->capacity = capacity;
    return items;
}

static struct datum_entries *entries_new(struct work *work, uint32_t capacity)
{
    struct datum_entries *entries =
        work_alloc_charged(work, sizeof *entries + capacity * sizeof(struct datum_entry));
    if (entries != NULL)
        entries->capacity = capacity;
    return entries;
}

bool datum_array_new(struct work *work, uint32_t count, struct datum *array_out)
{
    struct datum_items *items = items_new(work, count);
    if (items == NULL)
        return false;
    *array_out = (struct datum){.kind = DATUM_ARRAY, .depth = 1, .items = items};
    return true;
}

bool datum_object_new(struct work *work, uint32_t count, struct datum *object_out)
{
    struct datum_entries *entries = entries_new(work, count);
    if (entries == NULL)
        return false;
    *object_out = (struct datum){.kind = DATUM_OBJECT, .depth = 1, .entries = entries};
    return true;
}

/* A container around a child: one deeper than it. */
static bool deepen(struct work *work, struct datum *container, struct datum child)
{
    if (child.kind < DATUM_ARRAY)
        return true;
    if (child.depth >= DATUM_DEPTH_MAX)
        return work_limit(work, "a value nests too deeply");
    if (container->depth <= child.depth)
        container->depth = (uint8_t)(child.depth + 1);
    return true;
}

static uint32_t key_hash(struct bytes key)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ key.data[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static void index_add(struct datum_entries *entries, uint32_t place)
{
    const uint32_t mask = entries->index_size - 1;
    uint32_t slot = key_hash(datum_bytes(entries->at[place].key)) & mask;
    while (entries->index[slot] != 0)
        slot = (slot + 1) & mask;
    entries->index[slot] = place + 1;
}

/* An index pays once a look at every key is dear. */
static bool index_build(struct work *work, struct datum_entries *entries)
{
    uint32_t size = 4 * INDEX_FROM;
    while (size < entries->capacity * 2)
        size *= 2;
    entries->index = work_alloc_charged(work, size * sizeof *entries->index);
    if (entries->index == NULL)
        return false;
    entries->index_size = size;
    for (uint32_t i = 0; i < entries->fill; i++)
        index_add(entries, i);
    return work_charge_elements(work, entries->fill);
}

/* The place of key in an opened object; its size when it has none. */
static bool entry_find(struct work *work, struct datum object, struct bytes key,
                       uint32_t *place_out)
{
    const struct datum_entries *entries = object.entries;
    uint32_t place = 0;
    if (entries->index == NULL) {
        while (place < object.size && !bytes_equal(datum_bytes(entries->at[place].key), key))
            place++;
        *place_out = place;
        return work_charge_elements(work, 1 + place / 4);
    }
    const uint32_t mask = entries->index_size - 1;
    uint32_t slot = key_hash(key) & mask;
    uint32_t probe_count = 1;
    for (place = object.size; entries->index[slot] != 0; slot = (slot + 1) & mask, probe_count++) {
        const uint32_t candidate = entries->index[slot] - 1;
        if (!bytes_equal(datum_bytes(entries->at[candidate].key), key))
            continue;
        place = candidate < object.size ? candidate : object.size;
        break;
    }
    *place_out = place;
    return work_charge_elements(work, probe_count + key.size / 8);
}

static bool open_array(struct work *work, struct datum array, struct datum *opened_out)
{
    struct value_head head;
    struct value_cursor cursor = cursor_of_encoded(array, &head);
    struct datum opened;
    uint64_t node_count = 0;
    if (!datum_array_new(work, head.count, &opened))
        return false;
    for (uint32_t i = 0; i < head.count; i++)
        opened.items->at[i] = datum_take(&cursor, &node_count);
    opened.size = opened.items->fill = head.count;
    opened.depth = head.count > 0 ? 2 : 1;
    *opened_out = opened;
    return work_charge_elements(work, node_count);
}

static bool open_object(struct work *work, struct datum object, struct datum *opened_out)
{
    struct value_head head;
    struct value_cursor cursor = cursor_of_encoded(object, &head);
    struct datum opened;
    uint64_t node_count = 0;
    if (!datum_object_new(work, head.count, &opened))
        return false;
    for (uint32_t i = 0; i < head.count; i++) {
        opened.entries->at[i].key = datum_take(&cursor, &node_count);
        opened.entries->at[i].value = datum_take(&cursor, &node_count);
    }
    opened.size = opened.entries->fill = head.count;
    opened.depth = head.count > 0 ? 2 : 1;
    if (head.count > INDEX_FROM && !index_build(work, opened.entries))
        return false;
    *opened_out = opened;
    return work_charge_elements(work, node_count);
}

/* The opened form of a view that was opened before; NULL: it was not, or long ago. */
static const struct datum *view_find(const struct work *work, struct datum container)
{
    for (uint32_t i = 0; i < WORK_VIEWS_MAX; i++) {
        if (work->view[i].encoded == container.encoded && work->view[i].encoded != NULL)
            return &work->view[i].opened;
    }
    return NULL;
}

bool datum_open(struct work *work, struct datum container, struct datum *opened_out)
{
    if (!container.is_encoded) {
        *opened_out = container;
        return true;
    }
    const uint8_t *encoded = container.encoded;
    const struct datum *found = view_find(work, container);
    if (found != NULL) {
        *opened_out = *found;
        return true;
    }
    if (container.kind == DATUM_ARRAY ? !open_array(work, container, opened_out)
                                      : !open_object(work, container, opened_out))
        return false;
    const uint32_t place = work->view_count++ % WORK_VIEWS_MAX;
    work->view[place].encoded = encoded;
    work->view[place].opened = *opened_out;
    return true;
}

/* Whether looking through the bytes is cheaper than opening them: there are few, at most. */
static bool is_small(const struct work *work, struct datum container)
{
    return container.size <= VIEW_BYTES_SMALL && view_find(work, container) == NULL;
}

bool datum_array_get(struct work *work, struct datum array, uint32_t index,
                     struct datum *element_out)
{
    if (array.is_encoded && !is_small(work, array) && !datum_open(work, array, &array))
        return false;
    if (!array.is_encoded) {
        *element_out = index < array.size ? array.items->at[index] : datum_null();
        return true;
    }
    struct value_head head;
    struct value_cursor cursor = cursor_of_encoded(array, &head);
    uint64_t node_count = 1;
    if (index >= head.count) {
        *element_out = datum_null();
        return true;
    }
    for (uint32_t i = 0; i < index; i++)
        datum_take(&cursor, &node_count);
    *element_out = datum_of_value(bytes_of(cursor.at, (size_t)(cursor.end - cursor.at)));
    return work_charge_elements(work, node_count);
}

static bool encoded_object_get(struct work *work, struct datum object, struct bytes key,
                               struct datum *value_out, bool *is_found_out)
{
    struct value_head head;
    struct value_cursor cursor = cursor_of_encoded(object, &head);
    uint64_t node_count = 1;
    *value_out = datum_null();
    *is_found_out = false;
    for (uint32_t left = head.count; left > 0; left--) {
        struct value_head name;
        if (value_next(&cursor, &name) != PAWL_OK)
            break;
        if (bytes_equal(name.bytes, key)) {
            *value_out = datum_of_value(bytes_of(cursor.at, (size_t)(cursor.end - cursor.at)));
            *is_found_out = true;
            break;
        }
        datum_take(&cursor, &node_count);
    }
    return work_charge_elements(work, node_count);
}

bool datum_object_get(struct work *work, struct datum object, struct bytes key,
                      struct datum *value_out, bool *is_found_out)
{
    if (object.is_encoded && is_small(work, object))
        return encoded_object_get(work, object, key, value_out, is_found_out);
    uint32_t place;
    if (!datum_open(work, object, &object) || !entry_find(work, object, key, &place))
        return false;
    *is_found_out = place < object.size;
    *value_out = *is_found_out ? object.entries->at[place].value : datum_null();
    return true;
}

bool datum_is_owned(struct datum datum, uint32_t edit)
{
    if (edit == 0 || datum.is_encoded || datum.kind < DATUM_ARRAY)
        return false;
    return (datum.kind == DATUM_ARRAY ? datum.items->owner : datum.entries->owner) == edit;
}

static uint32_t capacity_after(uint32_t size)
{
    return size < CAPACITY_MIN ? CAPACITY_MIN : size * 2;
}

/* A copy that nobody else sees, with room for capacity elements. */
static bool array_own(struct work *work, struct datum *array, uint32_t capacity)
{
    struct datum own;
    if (!datum_array_new(work, capacity, &own))
        return false;
    if (array->size > 0)
        memcpy(own.items->at, array->items->at, array->size * sizeof(struct datum));
    own.size = own.items->fill = array->size;
    own.depth = array->depth;
    *array = own;
    return true;
}

static bool object_own(struct work *work, struct datum *object, uint32_t capacity)
{
    struct datum own;
    if (!datum_object_new(work, capacity, &own))
        return false;
    if (object->size > 0)
        memcpy(own.entries->at, object->entries->at, object->size * sizeof(struct datum_entry));
    own.size = own.entries->fill = object->size;
    own.depth = object->depth;
    *object = own;
    return capacity <= INDEX_FROM || index_build(work, own.entries);
}

bool datum_array_push(struct work *work, struct datum *array, struct datum element)
{
    if (!datum_open(work, *array, array) || !work_charge_elements(work, 1))
        return false;
    const bool has_room =
        array->items->fill == array->size && array->items->fill < array->items->capacity;
    if (!has_room && !array_own(work, array, capacity_after(array->size)))
        return false;
    array->items->at[array->size++] = element;
    array->items->fill = array->size;
    return deepen(work, array, element);
}

static bool object_append(struct work *work, struct datum *object, struct datum key,
                          struct datum value)
{
    const bool has_room =
        object->entries->fill == object->size && object->entries->fill < object->entries->capacity;
    if (!has_room && !object_own(work, object, capacity_after(object->size)))
        return false;
    const uint32_t place = object->size++;
    object->entries->at[place] = (struct datum_entry){key, value};
    object->entries->fill = object->size;
    if (object->entries->index != NULL)
        index_add(object->entries, place);
    return deepen(work, object, value);
}

bool datum_object_edit(struct work *work, struct datum *object, struct datum key,
                       struct datum value, uint32_t edit)
{
    uint32_t place;
    if (!datum_open(work, *object, object) || !entry_find(work, *object, datum_bytes(key), &place))
        return false;
    if (place == object->size)
        return object_append(work, object, key, value);
    if (!datum_is_owned(*object, edit) && !object_own(work, object, object->size))
        return false;
    object->entries->owner = edit;
    object->entries->at[place].value = value;
    return deepen(work, object, value);
}

bool datum_object_put(struct work *work, struct datum *object, struct datum key, struct datum value)
{
    return datum_object_edit(work, object, key, value, 0);
}

bool datum_object_remove(struct work *work, struct datum *object, struct bytes key)
{
    uint32_t place;
    struct datum rest;
    if (!datum_open(work, *object, object) || !entry_find(work, *object, key, &place))
        return false;
    if (place == object->size)
        return true;
    if (!datum_object_new(work, object->size - 1, &rest))
        return false;
    for (uint32_t i = 0; i < object->size; i++) {
        if (i != place)
            rest.entries->at[rest.size++] = object->entries->at[i];
    }
    rest.entries->fill = rest.size;
    rest.depth = object->depth;
    *object = rest;
    return rest.size <= INDEX_FROM || index_build(work, rest.entries);
}

bool datum_array_edit(struct work *work, struct datum *array, uint32_t index, struct datum element,
                      uint32_t edit)
{
    if (!datum_open(work, *array, array))
        return false;
    if (index == array->size)
        return datum_array_push(work, array, element);
    if (index > array->size || !datum_is_owned(*array, edit)) {
        if (!array_own(work, array, index < array->size ? array->size : index + 1))
            return false;
        array->items->owner = edit;
    }
    if (index >= array->size)
        array->size = array->items->fill = index + 1;
    array->items->at[index] = element;
    return deepen(work, array, element);
}

bool datum_array_part(struct work *work, struct datum array, uint32_t begin, uint32_t end,
                      struct datum *part_out)
{
    struct datum part;
    if (!datum_open(work, array, &array) || !datum_array_new(work, end - begin, &part))
        return false;
    if (end > begin)
        memcpy(part.items->at, array.items->at + begin, (end - begin) * sizeof(struct datum));
    part.size = part.items->fill = end - begin;
    part.depth = array.depth;
    *part_out = part;
    return true;
}
