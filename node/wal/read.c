/* Random access to entries. Every record is checked again when it is read. */
#include <assert.h>

#include "node/wal/crc32c.h"
#include "node/wal/internal.h"
#include "node/wal/wal.h"

/* Entries that stand close together are read at once, what is between them included. */
enum { GAP_BYTES_MAX = 16384, SPAN_BYTES_MAX = 1 << 20 };

/* Entries first .. first + count - 1 stand in one span of one segment. */
struct span {
    uint64_t first;
    size_t count;
    uint64_t begin, end;
};

static uint64_t place_end(const struct wal_place *place)
{
    return place->offset + wal_record_bytes(place->bytes);
}

static struct span span_from(const struct wal_index *index, uint64_t first, size_t count)
{
    const struct wal_place *place = wal_index_find(index, first);
    struct span span = {.first = first, .count = 1, .begin = place->offset};
    span.end = place_end(place);
    for (; span.count < count; span.count++) {
        const struct wal_place *next = wal_index_find(index, first + span.count);
        if (next->segment != place->segment || next->offset < span.end ||
            next->offset - span.end > GAP_BYTES_MAX ||
            place_end(next) - span.begin > SPAN_BYTES_MAX)
            break;
        span.end = place_end(next);
    }
    return span;
}

/* The span's bytes, unwhitened; they live until the next read or append. */
static enum pawl_error span_load(struct wal *wal, const struct wal_segment *segment,
                                 const struct span *span, const uint8_t **bytes_out)
{
    size_t size = (size_t)(span->end - span->begin), read = 0;
    buffer_reset(&wal->scratch);
    uint8_t *bytes = buffer_extend(&wal->scratch, size);
    if (bytes == NULL)
        return PAWL_E_NO_MEMORY;
    int error = wal->options.disk.read(wal->options.disk.self, segment->file, span->begin, bytes,
                                       size, &read);
    if (error != 0)
        return PAWL_E_IO;
    if (read != size)
        return PAWL_E_CORRUPT;
    wal_whiten(bytes, size, segment->header.salt);
    *bytes_out = bytes;
    return PAWL_OK;
}

static enum pawl_error entry_take(const uint8_t *record, const struct wal_record_header *header,
                                  struct arena *arena, struct wal_entry *entry_out)
{
    struct bytes body = bytes_of(record + WAL_RECORD_HEADER_BYTES, header->body_bytes);
    struct bytes payload = arena_copy(arena, body);
    if (payload.data == NULL && body.size > 0)
        return PAWL_E_NO_MEMORY;
    *entry_out = (struct wal_entry){.index = header->index,
                                    .term = header->term,
                                    .kind = header->entry_kind,
                                    .payload = payload};
    return PAWL_OK;
}

static enum pawl_error pending_read(const struct wal *wal, const struct wal_place *place,
                                    struct arena *arena, struct wal_entry *entry_out)
{
    const uint8_t *record = wal->group.data + place->offset;
    struct wal_record_header header;
    wal_record_header_peek(record, &header);
    return entry_take(record, &header, arena, entry_out);
}

static enum pawl_error span_read(struct wal *wal, const struct wal_slot *slot,
                                 const struct span *span, struct arena *arena,
                                 struct wal_entry *entries)
{
    const struct wal_segment *segment =
        wal_segments_find(&wal->segments, wal_index_find(&slot->index, span->first)->segment);
    assert(segment != NULL);
    const uint8_t *bytes = NULL;
    TRY(span_load(wal, segment, span, &bytes));
    for (size_t i = 0; i < span->count; i++) {
        const struct wal_place *place = wal_index_find(&slot->index, span->first + i);
        const uint8_t *record = bytes + (place->offset - span->begin);
        const struct wal_position position = {segment->header.salt, segment->header.sequence,
                                              place->offset};
        struct wal_record_header header;
        if (!wal_record_header_decode(record, &position, &header) || header.kind != WAL_ENTRY ||
            header.partition != slot->partition || header.index != span->first + i ||
            header.body_bytes != place->bytes ||
            header.body_crc != wal_crc32c(0, record + WAL_RECORD_HEADER_BYTES, header.body_bytes))
            return PAWL_E_CORRUPT;
        TRY(entry_take(record, &header, arena, &entries[i]));
    }
    return PAWL_OK;
}

/* How many entries from first on, up to last, fit into bytes_max; at least one. */
static size_t window_count(const struct wal_index *index, uint64_t first, uint64_t last,
                           size_t bytes_max)
{
    size_t count = 0;
    uint64_t bytes = 0;
    for (uint64_t i = first; i <= last; i++, count++) {
        bytes += wal_index_find(index, i)->bytes;
        if (count > 0 && bytes > bytes_max)
            break;
    }
    return count;
}

enum pawl_error wal_read(struct wal *wal, uint32_t partition, uint64_t first, uint64_t last,
                         size_t bytes_max, struct arena *arena, struct wal_entry **entries_out,
                         size_t *count_out)
{
    const struct wal_slot *slot = wal_slots_find(&wal->slots, partition);
    if (slot == NULL || first > last || wal_index_find(&slot->index, first) == NULL ||
        wal_index_find(&slot->index, last) == NULL)
        return PAWL_E_NOT_FOUND;
    size_t count = window_count(&slot->index, first, last, bytes_max);
    struct wal_entry *entries = arena_array(arena, count, sizeof *entries);
    if (entries == NULL)
        return PAWL_E_NO_MEMORY;
    for (size_t done = 0; done < count;) {
        const struct wal_place *place = wal_index_find(&slot->index, first + done);
        if (place->segment == WAL_PLACE_PENDING) {
            TRY(pending_read(wal, place, arena, &entries[done]));
            done++;
            continue;
        }
        struct span span = span_from(&slot->index, first + done, count - done);
        TRY(span_read(wal, slot, &span, arena, entries + done));
        done += span.count;
    }
    *entries_out = entries;
    *count_out = count;
    return PAWL_OK;
}

uint64_t wal_term_at(const struct wal *wal, uint32_t partition, uint64_t index)
{
    const struct wal_slot *slot = wal_slots_find(&wal->slots, partition);
    return slot != NULL ? wal_index_term(&slot->index, index) : 0;
}

bool wal_entry_shape(const struct wal *wal, uint32_t partition, uint64_t index, uint32_t *bytes_out,
                     uint8_t *kind_out)
{
    const struct wal_slot *slot = wal_slots_find(&wal->slots, partition);
    const struct wal_place *place = slot != NULL ? wal_index_find(&slot->index, index) : NULL;
    if (place == NULL)
        return false;
    *bytes_out = place->bytes;
    *kind_out = place->kind;
    return true;
}
