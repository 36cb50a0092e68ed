#include "node/wal/wal.h"

#include <assert.h>
#include <stdlib.h>

#include "node/wal/crc32c.h"
#include "node/wal/internal.h"
#include "node/wal/mutant.h"
#include "proto/limits.h"

enum { PREPARE_BYTES_MIN = 64 << 10, SLICES_PER_SEGMENT = 16, BLOCK_BYTES = 4096 };

/* --- opening --- */

static enum pawl_error options_check(const struct wal_options *options, struct pawl_diag *diag)
{
    if (options->segment_bytes < WAL_SEGMENT_BYTES_MIN ||
        options->segment_bytes > WAL_SEGMENT_BYTES_MAX ||
        options->segment_bytes % WAL_SECTOR_BYTES != 0)
        return diag_fail(diag, PAWL_E_INVALID,
                         "segment_bytes must be a multiple of %d from %llu to %llu",
                         WAL_SECTOR_BYTES, (unsigned long long)WAL_SEGMENT_BYTES_MIN,
                         (unsigned long long)WAL_SEGMENT_BYTES_MAX);
    return PAWL_OK;
}

static enum pawl_error owner_check(const struct wal *wal, struct pawl_diag *diag)
{
    for (size_t i = 0; i < wal->segments.count; i++) {
        const struct wal_segment_header *header = &wal->segments.segment[i].header;
        if (!id128_equal(header->cluster, wal->options.cluster) ||
            header->node != wal->options.node)
            return diag_fail(diag, PAWL_E_WRONG_CLUSTER,
                             "segment %llu of the log belongs to node %llu of another cluster or "
                             "to another node",
                             (unsigned long long)header->sequence,
                             (unsigned long long)header->node);
    }
    return PAWL_OK;
}

static enum pawl_error open_or_begin(struct wal *wal, struct wal_recovery *recovery,
                                     struct pawl_diag *diag)
{
    TRY(wal_segments_load(&wal->segments, diag));
    TRY(owner_check(wal, diag));
    if (wal->segments.count > 0)
        return wal_recover(wal, recovery, diag);
    return wal_roll(wal, 0, diag);
}

static enum pawl_error partitions_list(const struct wal *wal, struct arena *arena,
                                       struct wal_recovery *recovery)
{
    recovery->incarnation = wal->incarnation;
    recovery->partition_count = wal->slots.count;
    recovery->partitions = arena_array(arena, wal->slots.count, sizeof *recovery->partitions);
    if (recovery->partitions == NULL)
        return PAWL_E_NO_MEMORY;
    for (size_t i = 0; i < wal->slots.count; i++) {
        const struct wal_slot *slot = &wal->slots.slot[i];
        recovery->partitions[i] = (struct wal_partition){
            .partition = slot->partition,
            .term = slot->now.term,
            .vote = slot->now.vote,
            .base_index = slot->index.base_index,
            .base_term = slot->index.base_term,
            .last_index = wal_index_last(&slot->index),
            .incarnation = slot->now.incarnation,
            .is_vote_withheld = slot->now.is_vote_withheld,
        };
    }
    return PAWL_OK;
}

enum pawl_error wal_open(const struct wal_options *options, struct arena *arena,
                         struct wal_recovery *recovery_out, struct wal **wal_out,
                         struct pawl_diag *diag)
{
    TRY(options_check(options, diag));
    struct wal *wal = calloc(1, sizeof *wal);
    if (wal == NULL)
        return PAWL_E_NO_MEMORY;
    wal->options = *options;
    wal->segments.disk = options->disk;
    wal->segments.segment_bytes = options->segment_bytes;
    wal->next_sequence = 1;
    struct wal_recovery recovery = {.health = WAL_HEALTHY};
    enum pawl_error outcome = open_or_begin(wal, &recovery, diag);
    if (outcome == PAWL_OK)
        outcome = partitions_list(wal, arena, &recovery);
    if (outcome != PAWL_OK) {
        wal_close(wal);
        return outcome;
    }
    *recovery_out = recovery;
    *wal_out = wal;
    return PAWL_OK;
}

void wal_close(struct wal *wal)
{
    wal_segments_done(&wal->segments);
    wal_slots_done(&wal->slots);
    buffer_done(&wal->group);
    wal_blocks_done(&wal->blocks);
    buffer_done(&wal->scratch);
    free(wal);
}

/* --- a new segment --- */

/* A salt that no other segment of this log has had, from the one that is fresh for every open. */
static uint64_t segment_salt(uint64_t salt, uint64_t sequence)
{
    uint64_t mixed = salt + sequence * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    mixed ^= mixed >> 31;
    return mixed != 0 ? mixed : 1;
}

static size_t durable_count(const struct wal_slots *slots)
{
    size_t count = 0;
    for (size_t i = 0; i < slots->count; i++)
        count += slots->slot[i].is_durable;
    return count;
}

/* The state records of a segment, sealed and whitened. */
static void states_build(const struct wal *wal, const struct wal_segment_header *header,
                         struct buffer *out)
{
    uint64_t sequence = header->first_record;
    for (size_t i = 0; i < wal->slots.count; i++) {
        if (!wal->slots.slot[i].is_durable)
            continue;
        const struct wal_position position = {header->salt, header->sequence,
                                              WAL_DATA_OFFSET + out->size};
        uint8_t *at = buffer_extend(out, wal_record_bytes(WAL_STATE_BODY_BYTES));
        if (at == NULL)
            return;
        struct wal_record_header record;
        wal_state_encode(&wal->slots.slot[i], &record, at + WAL_RECORD_HEADER_BYTES);
        record.body_crc = wal_crc32c(0, at + WAL_RECORD_HEADER_BYTES, WAL_STATE_BODY_BYTES);
        wal_record_header_encode(&record, at);
        wal_record_seal(at, sequence, (uint32_t)(sequence - header->first_record + 1), &position);
        sequence++;
    }
    wal_whiten(out->data, out->size, header->salt);
}

enum pawl_error wal_roll(struct wal *wal, uint64_t previous, struct pawl_diag *diag)
{
    const struct wal_segments *segments = &wal->segments;
    uint64_t sequence = segments->count > 0 ? wal_segments_last(segments)->header.sequence + 1 : 1;
    const struct wal_segment_header header = {
        .sequence = sequence,
        .previous = previous,
        .salt = segment_salt(wal->options.salt, sequence),
        .bytes = wal->options.segment_bytes,
        .cluster = wal->options.cluster,
        .node = wal->options.node,
        .incarnation = wal->incarnation,
        .first_record = wal->next_sequence,
        .state_count = (uint32_t)durable_count(&wal->slots),
    };
    struct buffer states = {0};
    states_build(wal, &header, &states);
    enum pawl_error outcome = PAWL_OK;
    if (states.is_failed)
        outcome = PAWL_E_NO_MEMORY;
    else if (WAL_DATA_OFFSET + states.size > header.bytes)
        outcome = diag_fail(diag, PAWL_E_LIMIT, "a segment is too small for %u partitions",
                            header.state_count);
    else
        outcome = wal_segments_roll(&wal->segments, &header, buffer_bytes(&states), diag);
    buffer_done(&states);
    TRY(outcome);
    wal->next_sequence += header.state_count;
    wal->dirty_end = 0;
    return PAWL_OK;
}

/* --- appending --- */

static struct wal_record_header record_header(const struct wal *wal,
                                              const struct wal_record *record)
{
    struct wal_record_header header = {.kind = (uint8_t)record->kind,
                                       .partition = record->partition};
    const struct wal_entry *entry = &record->entry;
    switch (record->kind) {
    case WAL_HARD_STATE:
    case WAL_INCARNATION:
        header.index = record->vote;
        header.term = record->term;
        break;
    case WAL_ENTRY:
        header.index = entry->index;
        header.term = entry->term;
        header.entry_kind = entry->kind;
        header.body_bytes = (uint32_t)entry->payload.size;
        header.body_crc = wal_crc32c(0, entry->payload.data, entry->payload.size);
        break;
    case WAL_TRUNCATE:
        header.index = entry->index;
        header.term = wal_term_at(wal, record->partition, entry->index - 1);
        break;
    case WAL_START:
        header.index = entry->index;
        header.term = entry->term;
        break;
    }
    return header;
}

/* The largest record that fits into a segment which begins with the states of all partitions, and
 * of one more. Asked again at every append, since the group may bring new partitions. */
static uint64_t record_bytes_max(const struct wal *wal)
{
    uint64_t taken =
        WAL_DATA_OFFSET + (wal->slots.count + 1) * wal_record_bytes(WAL_STATE_BODY_BYTES);
    return wal->options.segment_bytes > taken ? wal->options.segment_bytes - taken : 0;
}

static enum pawl_error group_add(struct wal *wal, const struct wal_record_header *header,
                                 struct bytes payload, size_t *offset_out)
{
    size_t size = (size_t)wal_record_bytes(header->body_bytes);
    size_t offset = wal->group.size;
    uint8_t *at = buffer_extend(&wal->group, size);
    if (at == NULL) {
        wal->group.is_failed = false;
        return offset + size > BUFFER_BYTES_MAX ? PAWL_E_LIMIT : PAWL_E_NO_MEMORY;
    }
    memset(at + size - 8, 0, 8); /* the padding, before what may cover it */
    wal_record_header_encode(header, at);
    if (payload.size > 0)
        memcpy(at + WAL_RECORD_HEADER_BYTES, payload.data, payload.size);
    *offset_out = offset;
    return PAWL_OK;
}

static enum pawl_error record_add(struct wal *wal, const struct wal_record *record)
{
    struct wal_record_header header = record_header(wal, record);
    struct wal_slot *slot = wal_slots_put(&wal->slots, record->partition);
    if (slot == NULL)
        return PAWL_E_NO_MEMORY;
    if (!wal_slot_accepts(slot, &header, NULL) ||
        (header.kind == WAL_TRUNCATE && header.index <= slot->index.base_index))
        return PAWL_E_INVALID;
    size_t offset;
    TRY(group_add(wal, &header, record->entry.payload, &offset));
    const struct wal_place place = {.segment = WAL_PLACE_PENDING,
                                    .offset = (uint32_t)offset,
                                    .bytes = header.body_bytes,
                                    .kind = header.entry_kind};
    wal_slot_touch(slot);
    enum pawl_error outcome = wal_slot_apply(slot, &header, &place, NULL);
    if (outcome != PAWL_OK)
        wal->group.size = offset;
    return outcome;
}

enum pawl_error wal_append(struct wal *wal, const struct wal_record *record)
{
    if (wal->is_failed)
        return PAWL_E_IO;
    size_t payload_bytes = record->kind == WAL_ENTRY ? record->entry.payload.size : 0;
    if (payload_bytes > WAL_SEGMENT_BYTES_MAX)
        return PAWL_E_LIMIT;
    uint64_t size = wal_record_bytes((uint32_t)payload_bytes);
    uint64_t largest = size > wal->group_record_max ? size : wal->group_record_max;
    if (largest > record_bytes_max(wal))
        return PAWL_E_LIMIT;
    wal->group_record_max = largest;
    if (record->kind == WAL_HARD_STATE && WAL_MUTANT(VOTE_APART)) {
        struct wal_record apart = *record;
        const struct wal_slot *slot = wal_slots_find(&wal->slots, record->partition);
        apart.vote = slot != NULL ? slot->now.vote : 0;
        TRY(record_add(wal, &apart));
    }
    return record_add(wal, record);
}

/* --- syncing --- */

/* Give the records begin..end of the group their place behind the last segment's end. */
static void part_seal(struct wal *wal, size_t begin, size_t end)
{
    const struct wal_segment *segment = wal_segments_last(&wal->segments);
    struct wal_position position = {segment->header.salt, segment->header.sequence, segment->end};
    uint32_t ordinal = 0;
    for (size_t at = begin; at < end;) {
        uint8_t *bytes = wal->group.data + at;
        struct wal_record_header record;
        wal_record_header_peek(bytes, &record);
        wal_record_seal(bytes, wal->next_sequence + ordinal, ordinal + 1, &position);
        ordinal++;
        if (record.kind == WAL_ENTRY) {
            const struct wal_slot *slot = wal_slots_find(&wal->slots, record.partition);
            struct wal_place *place = wal_index_find(&slot->index, record.index);
            if (place != NULL && place->segment == WAL_PLACE_PENDING && place->offset == at) {
                place->segment = (uint32_t)position.segment;
                place->offset = (uint32_t)position.offset;
            }
        }
        size_t size = (size_t)wal_record_bytes(record.body_bytes);
        position.offset += size;
        at += size;
    }
}

/* The part is durable: count its records, and take them into the durable states, which the next
 * segment begins with. */
static void part_settle(struct wal *wal, size_t begin, size_t end)
{
    struct wal_segment *segment = wal_segments_last(&wal->segments);
    for (size_t at = begin; at < end;) {
        struct wal_record_header record;
        wal_record_header_peek(wal->group.data + at, &record);
        struct wal_slot *slot = wal_slots_find(&wal->slots, record.partition);
        wal_state_apply(&slot->durable, &record);
        slot->is_durable = true;
        wal->next_sequence++;
        at += (size_t)wal_record_bytes(record.body_bytes);
    }
    segment->end += end - begin;
}

static enum pawl_error file_sync(struct wal *wal, struct disk_file *file, struct pawl_diag *diag)
{
    if (WAL_MUTANT(SYNC_SKIPPED))
        return PAWL_OK;
    int error = wal->options.disk.sync(wal->options.disk.self, file);
    if (error == 0 || WAL_MUTANT(SYNC_ERROR_IGNORED))
        return PAWL_OK;
    wal_disk_error(diag, error, "sync", "a segment");
    return PAWL_E_IO;
}

/* One write and one sync. PAWL_E_DISK_FULL: the segment's end is as before, and dirty behind. */
static enum pawl_error part_write(struct wal *wal, size_t begin, size_t end, struct pawl_diag *diag)
{
    const struct wal_segment *segment = wal_segments_last(&wal->segments);
    part_seal(wal, begin, end);
    int error = 0;
    TRY(wal_blocks_write(&wal->blocks, &wal->options.disk, segment,
                         bytes_of(wal->group.data + begin, end - begin), &error));
    if (error != 0) {
        wal->dirty_end = segment->end + (end - begin);
        return wal_disk_error(diag, error, "write to", "a segment");
    }
    TRY(file_sync(wal, segment->file, diag));
    wal->sync_count++;
    wal->write_bytes += end - begin;
    wal->unprepared_bytes += end - begin;
    part_settle(wal, begin, end);
    return PAWL_OK;
}

/* Zero what a failed write may have left, so that it never stands behind a later group. */
static enum pawl_error tail_clean(struct wal *wal, struct pawl_diag *diag)
{
    if (wal->dirty_end == 0)
        return PAWL_OK;
    const struct wal_segment *segment = wal_segments_last(&wal->segments);
    TRY(wal_segments_zero(&wal->segments, segment->file, segment->end, wal->dirty_end, diag));
    TRY(file_sync(wal, segment->file, diag));
    wal->dirty_end = 0;
    return PAWL_OK;
}

/* How far the records from begin on fit into `room` bytes. */
static size_t part_end(const struct wal *wal, size_t begin, uint64_t room)
{
    size_t at = begin;
    while (at < wal->group.size) {
        struct wal_record_header record;
        wal_record_header_peek(wal->group.data + at, &record);
        size_t size = (size_t)wal_record_bytes(record.body_bytes);
        if (at + size - begin > room)
            break;
        at += size;
    }
    return at;
}

/* Blanks for the whole group before its first byte is written, so that a full disk refuses it
 * whole. */
static enum pawl_error blanks_reserve(struct wal *wal, struct pawl_diag *diag)
{
    size_t needed = 0;
    for (size_t at = 0; at < wal->group.size; needed++)
        at = part_end(wal, at, record_bytes_max(wal));
    return wal_segments_spares_reserve(&wal->segments, needed, diag);
}

/* A group that does not fit behind the last record goes to a new segment whole; one that is larger
 * than a segment goes to several, each with a write and a sync of its own. */
static enum pawl_error group_write(struct wal *wal, struct pawl_diag *diag)
{
    const struct wal_segment *last = wal_segments_last(&wal->segments);
    if (wal->group.size <= last->header.bytes - last->end)
        return part_write(wal, 0, wal->group.size, diag);
    TRY(blanks_reserve(wal, diag));
    for (size_t begin = 0; begin < wal->group.size;) {
        enum pawl_error outcome =
            wal_roll(wal, wal_segments_last(&wal->segments)->header.sequence, diag);
        last = wal_segments_last(&wal->segments);
        size_t end = part_end(wal, begin, last->header.bytes - last->end);
        if (outcome == PAWL_OK)
            outcome = part_write(wal, begin, end, diag);
        if (outcome != PAWL_OK)
            return begin == 0 ? outcome : PAWL_E_IO;
        begin = end;
    }
    return PAWL_OK;
}

static void cuts_apply(struct wal *wal)
{
    for (size_t i = 0; i < wal->slots.count; i++) {
        struct wal_slot *slot = &wal->slots.slot[i];
        uint64_t last = wal_index_last(&slot->index);
        if (slot->is_touched)
            continue;
        wal_index_cut(&slot->index, slot->cut_index < last ? slot->cut_index : last);
        slot->cut_index = 0;
    }
}

enum pawl_error wal_sync(struct wal *wal, struct pawl_diag *diag)
{
    if (wal->is_failed)
        return diag_fail(diag, PAWL_E_IO, "an earlier write of the log failed");
    if (wal->group.size == 0)
        return PAWL_OK;
    enum pawl_error outcome = tail_clean(wal, diag);
    if (outcome == PAWL_OK)
        outcome = group_write(wal, diag);
    if (outcome == PAWL_OK)
        wal_slots_settle(&wal->slots);
    else
        wal_slots_rollback(&wal->slots);
    buffer_reset(&wal->group);
    wal->group_record_max = 0;
    /* At once, so that a refused group does not come back with the next life; later if it must be.
     */
    if (outcome == PAWL_E_DISK_FULL && tail_clean(wal, NULL) == PAWL_E_IO)
        outcome = PAWL_E_IO;
    wal->is_failed = outcome == PAWL_E_IO;
    return outcome;
}

/* --- segments that are not needed any more --- */

static bool oldest_is_needed(const struct wal *wal)
{
    uint64_t oldest = wal->segments.segment[0].header.sequence;
    for (size_t i = 0; i < wal->slots.count; i++) {
        const struct wal_index *index = &wal->slots.slot[i].index;
        const struct wal_place *first = wal_index_find(index, index->base_index + 1);
        if (first != NULL && first->segment <= oldest)
            return true;
    }
    return false;
}

enum pawl_error wal_cut(struct wal *wal, uint32_t partition, uint64_t index, struct pawl_diag *diag)
{
    if (wal->is_failed)
        return diag_fail(diag, PAWL_E_IO, "an earlier write of the log failed");
    struct wal_slot *slot = wal_slots_find(&wal->slots, partition);
    if (slot == NULL)
        return diag_fail(diag, PAWL_E_NOT_FOUND, "the log has no partition %u", partition);
    if (index > slot->cut_index)
        slot->cut_index = index;
    cuts_apply(wal);
    while (wal->group.size == 0 && wal->segments.count > 1 && !oldest_is_needed(wal)) {
        enum pawl_error outcome =
            wal_segments_retire(&wal->segments, 0, wal->options.spare_segments, diag);
        wal->is_failed = outcome == PAWL_E_IO;
        TRY(outcome);
    }
    return PAWL_OK;
}

/* What is zeroed at once: much, for a disk has as much work with a small write as with a large one;
 * and never a whole segment, for which no group should wait. */
static uint64_t slice_bytes(const struct wal *wal)
{
    const uint64_t slice = wal->options.segment_bytes / SLICES_PER_SEGMENT;
    return (slice + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

/* Twice what was written is zeroed, so that a spare is ready before it is needed, and at least a
 * little a call; in slices, when one has come together. */
enum pawl_error wal_prepare(struct wal *wal, struct pawl_diag *diag)
{
    if (wal->is_failed)
        return diag_fail(diag, PAWL_E_IO, "an earlier write of the log failed");
    const uint64_t written = wal->unprepared_bytes, slice = slice_bytes(wal);
    wal->unprepared_bytes = 0;
    if (wal_segments_spares(&wal->segments) >= wal->options.spare_segments) {
        wal->prepare_bytes = 0; /* what was written while nothing was missing does not count */
        return PAWL_OK;
    }
    wal->prepare_bytes += 2 * written > PREPARE_BYTES_MIN ? 2 * written : PREPARE_BYTES_MIN;
    const uint64_t bytes = wal->prepare_bytes / slice * slice;
    if (bytes == 0)
        return PAWL_OK;
    wal->prepare_bytes -= bytes;
    enum pawl_error outcome = wal_segments_prepare(&wal->segments, bytes, diag);
    wal->is_failed = outcome == PAWL_E_IO;
    return outcome;
}

struct wal_figures wal_figures(const struct wal *wal)
{
    return (struct wal_figures){
        .sync_count = wal->sync_count,
        .write_bytes = wal->write_bytes,
        .segment_count = wal->segments.count,
        .spare_count = wal_segments_spares(&wal->segments),
    };
}
