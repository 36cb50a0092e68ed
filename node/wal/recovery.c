/* Recovery: replay the segments in order, classify what is behind the last readable record, and
 * leave a log that can be appended to. Source: docs/log-format.md, "Recovery".
 *
 * 1. Segments but the last one were durable as a whole before the next one began: their damage is
 * damage.
 * 2. In the last one only the newest group can be unsynced. What a power cut may have done to it is
 * cut off; anything else means a new incarnation.
 * 3. A new incarnation becomes durable in one step, with the name of the segment that begins it.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "node/wal/crc32c.h"
#include "node/wal/internal.h"
#include "node/wal/mutant.h"

/* One segment's bytes, as stored. */
struct image {
    const struct wal_segment *segment;
    uint8_t *bytes;
    uint64_t size;
    uint64_t written_end; /* only zeros from here on */
    bool is_short;        /* the file ends before its preallocated size */
};

/* Where replay stopped in a segment. */
struct stop {
    size_t segment; /* position in the list */
    uint64_t offset;
    uint64_t group_offset; /* where the last readable record's group begins */
    uint64_t group_synced; /* what its records say was durable */
    bool is_nonsense;      /* there is a whole record, but it cannot follow */
};

enum record_shape { RECORD_NONE, RECORD_HEADER_ONLY, RECORD_WHOLE };

static struct wal_position image_position(const struct image *image, uint64_t offset)
{
    return (struct wal_position){image->segment->header.salt, image->segment->header.sequence,
                                 offset};
}

static bool body_is_whole(const struct image *image, uint64_t offset,
                          const struct wal_record_header *header)
{
    uint8_t *body = image->bytes + offset + WAL_RECORD_HEADER_BYTES;
    size_t size = (size_t)wal_record_bytes(header->body_bytes) - WAL_RECORD_HEADER_BYTES;
    wal_whiten(body, size, image->segment->header.salt);
    uint32_t crc = wal_crc32c(0, body, header->body_bytes);
    wal_whiten(body, size, image->segment->header.salt);
    return crc == header->body_crc;
}

static enum record_shape record_at(const struct image *image, uint64_t offset,
                                   struct wal_record_header *header_out)
{
    if (image->size - offset < WAL_RECORD_HEADER_BYTES)
        return RECORD_NONE;
    uint8_t header[WAL_RECORD_HEADER_BYTES];
    memcpy(header, image->bytes + offset, sizeof header);
    wal_whiten(header, sizeof header, image->segment->header.salt);
    struct wal_position position = image_position(image, offset);
    if (!wal_record_header_decode(header, &position, header_out))
        return RECORD_NONE;
    if (wal_record_bytes(header_out->body_bytes) > image->segment->header.bytes - offset)
        return RECORD_NONE;
    if (wal_record_bytes(header_out->body_bytes) > image->size - offset)
        return RECORD_HEADER_ONLY;
    if (!WAL_MUTANT(BODY_UNCHECKED) && !body_is_whole(image, offset, header_out))
        return RECORD_HEADER_ONLY;
    return RECORD_WHOLE;
}

/* Sector by sector from the end. */
static uint64_t written_end(const struct image *image)
{
    uint64_t end = image->size;
    while (end > WAL_DATA_OFFSET) {
        uint64_t begin = (end - 1) / WAL_SECTOR_BYTES * WAL_SECTOR_BYTES;
        if (!wal_is_zero(image->bytes + begin, (size_t)(end - begin)))
            break;
        end = begin;
    }
    while (end > WAL_DATA_OFFSET && image->bytes[end - 1] == 0)
        end--;
    return end;
}

static enum pawl_error image_load(struct wal *wal, size_t position, struct image *image_out,
                                  struct pawl_diag *diag)
{
    const struct wal_segment *segment = &wal->segments.segment[position];
    char name[WAL_NAME_BYTES];
    wal_segment_name(segment->header.sequence, name);
    uint64_t bytes = 0;
    int error = wal->options.disk.size(wal->options.disk.self, segment->file, &bytes);
    struct image image = {.segment = segment, .is_short = bytes < segment->header.bytes};
    image.size = (image.is_short ? bytes : segment->header.bytes) / 8 * 8;
    if (image.size < WAL_DATA_OFFSET)
        image.size = WAL_DATA_OFFSET;
    image.bytes = calloc(1, (size_t)image.size);
    if (image.bytes == NULL)
        return PAWL_E_NO_MEMORY;
    size_t read = 0;
    if (error == 0)
        error = wal->options.disk.read(wal->options.disk.self, segment->file, 0, image.bytes,
                                       (size_t)image.size, &read);
    if (error != 0) {
        free(image.bytes);
        wal_disk_error(diag, error, "read", name);
        return PAWL_E_IO;
    }
    image.written_end = written_end(&image);
    *image_out = image;
    return PAWL_OK;
}

/* --- replay --- */

static void state_of(const struct image *image, uint64_t offset,
                     const struct wal_record_header *header, struct wal_state *state_out)
{
    uint8_t body[WAL_STATE_BODY_BYTES];
    memcpy(body, image->bytes + offset + WAL_RECORD_HEADER_BYTES, sizeof body);
    wal_whiten(body, sizeof body, image->segment->header.salt);
    wal_state_decode(header, body, state_out);
}

static enum pawl_error record_replay(struct wal *wal, const struct image *image, uint64_t offset,
                                     const struct wal_record_header *header, bool *is_nonsense_out)
{
    struct wal_state state = {0};
    if (header->kind == WAL_STATE)
        state_of(image, offset, header, &state);
    struct wal_slot *slot = wal_slots_put(&wal->slots, header->partition);
    if (slot == NULL)
        return PAWL_E_NO_MEMORY;
    *is_nonsense_out = !wal_slot_accepts(slot, header, &state);
    if (*is_nonsense_out)
        return PAWL_OK;
    const struct wal_place place = {.segment = (uint32_t)image->segment->header.sequence,
                                    .offset = (uint32_t)offset,
                                    .bytes = header->body_bytes,
                                    .kind = header->entry_kind};
    TRY(wal_slot_apply(slot, header, &place, &state));
    slot->is_durable = true;
    if (slot->now.incarnation > wal->incarnation)
        wal->incarnation = slot->now.incarnation;
    return PAWL_OK;
}

/* Take in the records up to `until` (exclusive), or to the first one that is not whole. */
static enum pawl_error segment_replay(struct wal *wal, const struct image *image, uint64_t until,
                                      struct stop *stop)
{
    stop->offset = stop->group_offset = WAL_DATA_OFFSET;
    stop->group_synced = UINT64_MAX;
    stop->is_nonsense = false;
    while (wal->next_sequence < until) {
        struct wal_record_header header;
        if (record_at(image, stop->offset, &header) != RECORD_WHOLE)
            break;
        stop->is_nonsense = header.sequence != wal->next_sequence;
        if (!stop->is_nonsense)
            TRY(record_replay(wal, image, stop->offset, &header, &stop->is_nonsense));
        if (stop->is_nonsense)
            break;
        if (header.sequence - header.unsynced != stop->group_synced)
            stop->group_offset = stop->offset;
        stop->group_synced = header.sequence - header.unsynced;
        stop->offset += wal_record_bytes(header.body_bytes);
        wal->next_sequence++;
    }
    return PAWL_OK;
}

/* --- what is behind the last readable record --- */

/* The next readable record header from `from` on that can belong here; image->size: none. */
static uint64_t record_search(const struct image *image, uint64_t from,
                              struct wal_record_header *header_out)
{
    uint64_t first = image->segment->header.first_record;
    for (uint64_t at = from; at < image->written_end; at += 8) {
        struct wal_record_header header;
        if (record_at(image, at, &header) == RECORD_NONE || header.sequence < first ||
            header.sequence - first > image->size / WAL_RECORD_HEADER_BYTES)
            continue;
        *header_out = header;
        return at;
    }
    return image->size;
}

/* The highest sequence number that something readable says was durable. */
static uint64_t durable_evidence(const struct image *image, const struct stop *stop)
{
    const struct wal_segment_header *segment = &image->segment->header;
    uint64_t durable = segment->first_record + segment->state_count - 1;
    struct wal_record_header header;
    for (uint64_t at = stop->offset;; at += wal_record_bytes(header.body_bytes)) {
        at = record_search(image, at, &header);
        if (at >= image->size)
            return durable;
        if (header.sequence - header.unsynced > durable)
            durable = header.sequence - header.unsynced;
    }
}

/* Was one of the sectors that begin..end touches never written? A sector's part before begin
 * belongs to earlier records; written bytes are never all zero, since they are whitened. */
static bool has_lost_sector(const struct image *image, uint64_t begin, uint64_t end)
{
    while (begin < end && begin < image->size) {
        uint64_t sector_end = begin / WAL_SECTOR_BYTES * WAL_SECTOR_BYTES + WAL_SECTOR_BYTES;
        if (sector_end > image->size)
            sector_end = image->size;
        if (wal_is_zero(image->bytes + begin, (size_t)(sector_end - begin)))
            return true;
        begin = sector_end;
    }
    return false;
}

/* Is everything unreadable behind the stop what a power cut leaves of an unsynced group: each
 * unreadable record has lost a sector? */
static bool tail_is_torn(const struct image *image, const struct stop *stop)
{
    for (uint64_t at = stop->offset; at < image->written_end;) {
        struct wal_record_header header = {0};
        enum record_shape shape = record_at(image, at, &header);
        uint64_t size =
            shape == RECORD_NONE ? WAL_RECORD_HEADER_BYTES : wal_record_bytes(header.body_bytes);
        if (shape != RECORD_WHOLE && !has_lost_sector(image, at, at + size))
            return false;
        at = shape == RECORD_NONE ? record_search(image, at + 8, &header) : at + size;
    }
    return true;
}

static enum wal_health tail_classify(const struct wal *wal, const struct image *image,
                                     const struct stop *stop)
{
    if (WAL_MUTANT(DAMAGE_TRUNCATED))
        return WAL_HEALTHY;
    if (durable_evidence(image, stop) >= wal->next_sequence)
        return WAL_DAMAGED;
    if (image->is_short || stop->is_nonsense || !tail_is_torn(image, stop))
        return WAL_UNDECIDABLE;
    return WAL_HEALTHY;
}

/* The last group may be in the page cache only, and what is behind it must never be met again:
 * write the group once more, zeros behind it, and sync. */
static enum pawl_error tail_rewrite(struct wal *wal, const struct image *image,
                                    const struct stop *stop, struct wal_recovery *recovery,
                                    struct pawl_diag *diag)
{
    const struct disk_port *disk = &wal->options.disk;
    struct disk_file *file = image->segment->file;
    uint64_t end = image->written_end;
    recovery->torn_bytes = end > stop->offset ? end - stop->offset : 0;
    if (end < stop->offset)
        end = stop->offset;
    memset(image->bytes + stop->offset, 0, (size_t)(end - stop->offset));
    int error = 0;
    if (end > stop->group_offset && !WAL_MUTANT(TAIL_UNCLEANED))
        error = disk->write(disk->self, file, stop->group_offset, image->bytes + stop->group_offset,
                            (size_t)(end - stop->group_offset));
    if (error != 0)
        return wal_disk_error(diag, error, "clean the end of", "the log");
    error = disk->sync(disk->self, file);
    if (error == 0)
        error = disk->sync_directory(disk->self);
    if (error != 0) {
        wal_disk_error(diag, error, "sync", "the log");
        return PAWL_E_IO;
    }
    return PAWL_OK;
}

/* --- a new incarnation --- */

/* Hard states behind the damage still bind this node: the highest term is never unlearnt. */
static enum pawl_error hard_states_salvage(struct wal *wal, const struct image *image,
                                           uint64_t from)
{
    struct wal_record_header header;
    for (uint64_t at = from;; at += wal_record_bytes(header.body_bytes)) {
        at = record_search(image, at, &header);
        if (at >= image->size)
            return PAWL_OK;
        if (record_at(image, at, &header) != RECORD_WHOLE)
            continue;
        struct wal_state found = {0};
        if (header.kind == WAL_STATE)
            state_of(image, at, &header, &found);
        wal_state_apply(&found, &header);
        struct wal_slot *slot = wal_slots_put(&wal->slots, header.partition);
        if (slot == NULL)
            return PAWL_E_NO_MEMORY;
        if (found.term > slot->now.term) {
            slot->now.term = found.term;
            slot->now.vote = found.vote;
        }
        if (found.incarnation > wal->incarnation)
            wal->incarnation = found.incarnation;
    }
}

static enum pawl_error rest_salvage(struct wal *wal, const struct stop *stop,
                                    struct pawl_diag *diag)
{
    for (size_t i = stop->segment; i < wal->segments.count; i++) {
        struct image image;
        TRY(image_load(wal, i, &image, diag));
        enum pawl_error outcome =
            hard_states_salvage(wal, &image, i == stop->segment ? stop->offset : WAL_DATA_OFFSET);
        free(image.bytes);
        TRY(outcome);
    }
    return PAWL_OK;
}

/* Everything behind the stop is void: begin a segment that continues the stopped one, with the
 * state of all partitions under the new incarnation; then drop what is between. */
static enum pawl_error incarnation_begin(struct wal *wal, const struct stop *stop,
                                         struct pawl_diag *diag)
{
    TRY(rest_salvage(wal, stop, diag));
    wal->incarnation++;
    for (size_t i = 0; i < wal->slots.count; i++) {
        struct wal_slot *slot = &wal->slots.slot[i];
        slot->now.incarnation = wal->incarnation;
        slot->now.is_vote_withheld = true;
        slot->durable = slot->now;
        slot->is_durable = true;
    }
    TRY(wal_roll(wal, wal->segments.segment[stop->segment].header.sequence, diag));
    while (wal->segments.count > stop->segment + 2)
        TRY(wal_segments_retire(&wal->segments, stop->segment + 1, wal->options.spare_segments,
                                diag));
    return PAWL_OK;
}

/* --- the whole log --- */

/* Keep the segments that the newest one leads back to. What stands between two of them was voided
 * by an incarnation that a crash kept from removing it. A link to a segment that is not there is a
 * gap, which replay finds by the sequence numbers. */
static enum pawl_error void_segments_retire(struct wal *wal, struct pawl_diag *diag)
{
    size_t at = wal->segments.count - 1;
    while (at > 0) {
        const struct wal_segment *segment = &wal->segments.segment[at];
        bool has_previous = wal_segments_find(&wal->segments, segment->header.previous) != NULL;
        if (has_previous &&
            wal->segments.segment[at - 1].header.sequence != segment->header.previous)
            TRY(wal_segments_retire(&wal->segments, at - 1, wal->options.spare_segments, diag));
        at--;
    }
    return PAWL_OK;
}

static enum pawl_error damage_report(const struct wal *wal, const struct stop *stop,
                                     enum wal_health health, struct wal_recovery *recovery)
{
    recovery->health = health;
    return diag_fail(&recovery->diag, PAWL_OK,
                     "record %" PRIu64 " of the log, at offset %" PRIu64 " of segment %" PRIu64
                     ", is unreadable; %s",
                     wal->next_sequence, stop->offset,
                     wal->segments.segment[stop->segment].header.sequence,
                     health == WAL_DAMAGED ? "it was durable"
                                           : "it may have been durable, since no power cut leaves "
                                             "what is there");
}

/* Replay one segment; *stop_out is where the log goes on or, if *health_out is not healthy, ends.
 */
static enum pawl_error segment_recover(struct wal *wal, size_t position, struct stop *stop,
                                       struct wal_recovery *recovery, struct pawl_diag *diag)
{
    struct image image;
    bool is_last = position + 1 == wal->segments.count;
    uint64_t until = is_last ? UINT64_MAX : wal->segments.segment[position + 1].header.first_record;
    TRY(image_load(wal, position, &image, diag));
    *stop = (struct stop){.segment = position};
    enum pawl_error outcome = segment_replay(wal, &image, until, stop);
    wal->segments.segment[position].end = stop->offset;
    if (outcome == PAWL_OK && is_last)
        recovery->health = tail_classify(wal, &image, stop);
    else if (wal->next_sequence != until)
        recovery->health = WAL_DAMAGED;
    if (outcome == PAWL_OK && recovery->health != WAL_HEALTHY)
        outcome = damage_report(wal, stop, recovery->health, recovery);
    else if (outcome == PAWL_OK && is_last)
        outcome = tail_rewrite(wal, &image, stop, recovery, diag);
    free(image.bytes);
    return outcome;
}

enum pawl_error wal_recover(struct wal *wal, struct wal_recovery *recovery, struct pawl_diag *diag)
{
    TRY(void_segments_retire(wal, diag));
    wal->next_sequence = wal->segments.segment[0].header.first_record;
    for (size_t i = 0; i < wal->segments.count; i++)
        if (wal->segments.segment[i].header.incarnation > wal->incarnation)
            wal->incarnation = wal->segments.segment[i].header.incarnation;
    struct stop stop = {0};
    for (size_t i = 0; i < wal->segments.count && recovery->health == WAL_HEALTHY; i++)
        TRY(segment_recover(wal, i, &stop, recovery, diag));
    if (recovery->health != WAL_HEALTHY)
        return incarnation_begin(wal, &stop, diag);
    for (size_t i = 0; i < wal->slots.count; i++)
        wal->slots.slot[i].durable = wal->slots.slot[i].now;
    return PAWL_OK;
}
