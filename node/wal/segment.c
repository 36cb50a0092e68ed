#include "node/wal/segment.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/wal/mutant.h"
#include "proto/large_pages.h"

#define FRESH_NAME "fresh"

enum file_kind { FILE_SEGMENT, FILE_SPARE, FILE_USED };
static const char *const prefixes[] = {"segment-", "spare-", "used-"};
enum { FILE_KIND_COUNT = 3, NUMBER_DIGITS = 20, ZEROS_BYTES_MAX = 1 << 20 };

static void file_name(enum file_kind kind, uint64_t number, char out[WAL_NAME_BYTES])
{
    snprintf(out, WAL_NAME_BYTES, "%s%0*" PRIu64, prefixes[kind], NUMBER_DIGITS, number);
}

void wal_segment_name(uint64_t sequence, char out[WAL_NAME_BYTES])
{
    file_name(FILE_SEGMENT, sequence, out);
}

static bool file_name_parse(const char *name, enum file_kind *kind_out, uint64_t *number_out)
{
    for (int kind = 0; kind < FILE_KIND_COUNT; kind++) {
        size_t prefix = strlen(prefixes[kind]);
        if (strncmp(name, prefixes[kind], prefix) != 0 || strlen(name) != prefix + NUMBER_DIGITS)
            continue;
        if (strspn(name + prefix, "0123456789") != NUMBER_DIGITS)
            continue;
        errno = 0;
        *number_out = strtoull(name + prefix, NULL, 10);
        *kind_out = (enum file_kind)kind;
        return errno == 0 && *number_out < UINT32_MAX;
    }
    return false;
}

enum pawl_error wal_disk_error(struct pawl_diag *diag, int error, const char *action,
                               const char *name)
{
    bool is_full = error == ENOSPC || error == EDQUOT;
    return diag_fail(diag, is_full ? PAWL_E_DISK_FULL : PAWL_E_IO, "cannot %s %s: %s", action, name,
                     strerror(error));
}

/* After these there is no way back: whatever went wrong, the disk's state is unknown. */
static enum pawl_error disk_final(struct pawl_diag *diag, int error, const char *action,
                                  const char *name)
{
    if (error == 0)
        return PAWL_OK;
    wal_disk_error(diag, error, action, name);
    return PAWL_E_IO;
}

static enum pawl_error directory_sync(struct wal_segments *segments, struct pawl_diag *diag)
{
    int error = segments->disk.sync_directory(segments->disk.self);
    return disk_final(diag, error, "sync", "the directory of the log");
}

void wal_segments_done(struct wal_segments *segments)
{
    for (size_t i = 0; i < segments->count; i++)
        if (segments->segment[i].file != NULL)
            segments->disk.close(segments->disk.self, segments->segment[i].file);
    if (segments->making.file != NULL)
        segments->disk.close(segments->disk.self, segments->making.file);
    segments->making.file = NULL;
    free(segments->segment);
    free(segments->blank);
    free(segments->zeros);
    segments->segment = NULL;
    segments->blank = NULL;
    segments->zeros = NULL;
    segments->count = segments->blank_count = 0;
}

static enum pawl_error segment_reserve(struct wal_segments *segments)
{
    if (segments->count < segments->capacity)
        return PAWL_OK;
    size_t capacity = segments->capacity != 0 ? segments->capacity * 2 : 8;
    struct wal_segment *segment = realloc(segments->segment, capacity * sizeof *segment);
    if (segment == NULL)
        return PAWL_E_NO_MEMORY;
    segments->segment = segment;
    segments->capacity = capacity;
    return PAWL_OK;
}

static enum pawl_error blank_reserve(struct wal_segments *segments)
{
    if (segments->blank_count < segments->blank_capacity)
        return PAWL_OK;
    size_t capacity = segments->blank_capacity != 0 ? segments->blank_capacity * 2 : 8;
    struct wal_blank *blank = realloc(segments->blank, capacity * sizeof *blank);
    if (blank == NULL)
        return PAWL_E_NO_MEMORY;
    segments->blank = blank;
    segments->blank_capacity = capacity;
    return PAWL_OK;
}

static void blank_drop(struct wal_segments *segments, size_t position)
{
    segments->blank_count--;
    memmove(segments->blank + position, segments->blank + position + 1,
            (segments->blank_count - position) * sizeof *segments->blank);
}

/* The newest blank of one sort; blank_count: none. */
static size_t blank_find(const struct wal_segments *segments, bool is_zeroed)
{
    for (size_t i = segments->blank_count; i > 0; i--)
        if (segments->blank[i - 1].is_zeroed == is_zeroed)
            return i - 1;
    return segments->blank_count;
}

size_t wal_segments_spares(const struct wal_segments *segments)
{
    size_t spares = 0;
    for (size_t i = 0; i < segments->blank_count; i++)
        spares += segments->blank[i].is_zeroed;
    return spares;
}

struct wal_segment *wal_segments_find(const struct wal_segments *segments, uint64_t sequence)
{
    size_t low = 0, high = segments->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (segments->segment[middle].header.sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == segments->count || segments->segment[low].header.sequence != sequence)
        return NULL;
    return &segments->segment[low];
}

/* --- loading --- */

struct listing {
    struct wal_segments *segments;
    bool has_fresh;
    enum pawl_error error;
};

static void listing_add(void *user, const char *name)
{
    struct listing *listing = user;
    struct wal_segments *segments = listing->segments;
    enum file_kind kind;
    uint64_t number;
    if (strcmp(name, FRESH_NAME) == 0)
        listing->has_fresh = true;
    if (listing->error != PAWL_OK || !file_name_parse(name, &kind, &number))
        return;
    listing->error = kind == FILE_SEGMENT ? segment_reserve(segments) : blank_reserve(segments);
    if (listing->error != PAWL_OK)
        return;
    if (kind == FILE_SEGMENT) {
        segments->segment[segments->count++] =
            (struct wal_segment){.header.sequence = number, .end = WAL_DATA_OFFSET};
        return;
    }
    segments->blank[segments->blank_count++] =
        (struct wal_blank){.number = number, .is_zeroed = kind == FILE_SPARE};
    if (number >= segments->next_blank)
        segments->next_blank = number + 1;
}

static int segment_order(const void *a, const void *b)
{
    uint64_t first = ((const struct wal_segment *)a)->header.sequence;
    uint64_t second = ((const struct wal_segment *)b)->header.sequence;
    return first < second ? -1 : first > second;
}

static int blank_order(const void *a, const void *b)
{
    uint64_t first = ((const struct wal_blank *)a)->number;
    uint64_t second = ((const struct wal_blank *)b)->number;
    return first < second ? -1 : first > second;
}

static enum pawl_error directory_read(struct wal_segments *segments, struct pawl_diag *diag)
{
    struct listing listing = {.segments = segments};
    int error = segments->disk.list(segments->disk.self, listing_add, &listing);
    if (error != 0)
        return disk_final(diag, error, "list", "the directory of the log");
    TRY(listing.error);
    if (segments->count > 0)
        qsort(segments->segment, segments->count, sizeof *segments->segment, segment_order);
    if (segments->blank_count > 0)
        qsort(segments->blank, segments->blank_count, sizeof *segments->blank, blank_order);
    if (listing.has_fresh)
        error = segments->disk.remove(segments->disk.self, FRESH_NAME);
    return disk_final(diag, error, "remove", FRESH_NAME);
}

/* Both copies of the header must be there after this, or the segment cannot be used. */
static enum pawl_error header_load(struct wal_segments *segments, struct wal_segment *segment,
                                   const char *name, struct pawl_diag *diag)
{
    uint8_t copies[2 * WAL_SECTOR_BYTES] = {0};
    size_t size = 0;
    int error =
        segments->disk.read(segments->disk.self, segment->file, 0, copies, sizeof copies, &size);
    if (error != 0)
        return disk_final(diag, error, "read", name);
    struct wal_segment_header headers[2];
    enum pawl_error outcomes[2];
    for (int i = 0; i < 2; i++)
        outcomes[i] = wal_segment_header_decode(copies + i * WAL_SECTOR_BYTES, &headers[i]);
    if (outcomes[0] == PAWL_E_VERSION || outcomes[1] == PAWL_E_VERSION)
        return diag_fail(diag, PAWL_E_VERSION, "%s is of a newer format than version %d", name,
                         WAL_VERSION);
    int good = outcomes[0] == PAWL_OK ? 0 : 1;
    if (outcomes[good] != PAWL_OK || headers[good].sequence != segment->header.sequence)
        return diag_fail(diag, PAWL_E_CORRUPT, "the header of %s is damaged in both copies", name);
    segment->header = headers[good];
    if (outcomes[1 - good] == PAWL_OK)
        return PAWL_OK;
    uint64_t other = (uint64_t)(1 - good) * WAL_SECTOR_BYTES;
    error = segments->disk.write(segments->disk.self, segment->file, other,
                                 copies + good * WAL_SECTOR_BYTES, WAL_SECTOR_BYTES);
    TRY(disk_final(diag, error, "repair the header of", name));
    return disk_final(diag, segments->disk.sync(segments->disk.self, segment->file), "sync", name);
}

static enum pawl_error segment_load(struct wal_segments *segments, struct wal_segment *segment,
                                    struct pawl_diag *diag)
{
    char name[WAL_NAME_BYTES];
    wal_segment_name(segment->header.sequence, name);
    int error = segments->disk.open(segments->disk.self, name, false, &segment->file);
    TRY(disk_final(diag, error, "open", name));
    return header_load(segments, segment, name, diag);
}

static enum pawl_error file_is_zero(struct wal_segments *segments, struct disk_file *file,
                                    bool *is_zero_out)
{
    enum { CHUNK_BYTES = 65536 };
    uint8_t *chunk = malloc(CHUNK_BYTES);
    if (chunk == NULL)
        return PAWL_E_NO_MEMORY;
    bool is_zero = true;
    int error = 0;
    for (uint64_t at = 0; is_zero && error == 0 && at < segments->segment_bytes;) {
        size_t size = 0;
        error = segments->disk.read(segments->disk.self, file, at, chunk, CHUNK_BYTES, &size);
        is_zero = size > 0 && wal_is_zero(chunk, size);
        at += size;
    }
    free(chunk);
    *is_zero_out = is_zero && error == 0;
    return PAWL_OK;
}

/* A blank of another size goes; a spare that is not zero any more (a roll that a crash cut short
 * left its header there) is zeroed again, where it is, so that its blocks stay ours. */
static enum pawl_error blank_check(struct wal_segments *segments, size_t position,
                                   bool *is_kept_out, struct pawl_diag *diag)
{
    struct wal_blank *blank = &segments->blank[position];
    char name[WAL_NAME_BYTES];
    file_name(blank->is_zeroed ? FILE_SPARE : FILE_USED, blank->number, name);
    struct disk_file *file;
    int error = segments->disk.open(segments->disk.self, name, false, &file);
    TRY(disk_final(diag, error, "open", name));
    uint64_t bytes = 0;
    error = segments->disk.size(segments->disk.self, file, &bytes);
    *is_kept_out = error == 0 && bytes == segments->segment_bytes;
    bool is_zero = !blank->is_zeroed;
    enum pawl_error outcome = PAWL_OK;
    if (*is_kept_out && blank->is_zeroed)
        outcome = file_is_zero(segments, file, &is_zero);
    if (outcome == PAWL_OK && *is_kept_out && !is_zero) {
        outcome = wal_segments_zero(segments, file, 0, segments->segment_bytes, diag);
        if (outcome == PAWL_OK)
            outcome =
                disk_final(diag, segments->disk.sync(segments->disk.self, file), "sync", name);
    }
    segments->disk.close(segments->disk.self, file);
    if (outcome == PAWL_E_DISK_FULL) {
        *is_kept_out = false;
        outcome = PAWL_OK;
    }
    TRY(outcome);
    if (!*is_kept_out)
        error = segments->disk.remove(segments->disk.self, name);
    return disk_final(diag, error, "remove", name);
}

enum pawl_error wal_segments_load(struct wal_segments *segments, struct pawl_diag *diag)
{
    segments->next_blank = 1;
    TRY(directory_read(segments, diag));
    for (size_t i = 0; i < segments->count; i++)
        TRY(segment_load(segments, &segments->segment[i], diag));
    for (size_t i = segments->blank_count; i > 0; i--) {
        bool is_kept = false;
        TRY(blank_check(segments, i - 1, &is_kept, diag));
        if (!is_kept)
            blank_drop(segments, i - 1);
    }
    return PAWL_OK;
}

/* --- blanks --- */

/* As many as one write takes: a disk has hardly more work with all of them than with a few. */
static size_t zeros_bytes(const struct wal_segments *segments)
{
    return segments->segment_bytes < ZEROS_BYTES_MAX ? (size_t)segments->segment_bytes
                                                     : ZEROS_BYTES_MAX;
}

static enum pawl_error zeros_ready(struct wal_segments *segments)
{
    const size_t size = zeros_bytes(segments);
    if (segments->zeros != NULL)
        return PAWL_OK;
    segments->zeros = large_pages_alloc(size < ZEROS_BYTES_MAX ? size : LARGE_PAGE_BYTES);
    if (segments->zeros == NULL)
        return PAWL_E_NO_MEMORY;
    memset(segments->zeros, 0, size);
    return PAWL_OK;
}

enum pawl_error wal_segments_zero(struct wal_segments *segments, struct disk_file *file,
                                  uint64_t begin, uint64_t end, struct pawl_diag *diag)
{
    const size_t size_max = zeros_bytes(segments);
    TRY(zeros_ready(segments));
    while (begin < end) {
        size_t size = end - begin < size_max ? (size_t)(end - begin) : size_max;
        int error = segments->disk.write(segments->disk.self, file, begin, segments->zeros, size);
        if (error != 0)
            return wal_disk_error(diag, error, "write zeros to", "a segment");
        begin += size;
    }
    return PAWL_OK;
}

static void making_name(const struct wal_making *making, char out[WAL_NAME_BYTES])
{
    if (making->is_reused)
        file_name(FILE_USED, making->number, out);
    else
        snprintf(out, WAL_NAME_BYTES, FRESH_NAME);
}

static enum pawl_error making_begin(struct wal_segments *segments, struct pawl_diag *diag)
{
    size_t used = blank_find(segments, false);
    struct wal_making making = {.is_reused = used < segments->blank_count,
                                .number = segments->next_blank};
    if (making.is_reused)
        making.number = segments->blank[used].number;
    char name[WAL_NAME_BYTES];
    making_name(&making, name);
    int error = segments->disk.open(segments->disk.self, name, !making.is_reused, &making.file);
    if (error != 0)
        return wal_disk_error(diag, error, "begin", name);
    if (!making.is_reused)
        segments->next_blank++;
    segments->making = making;
    return PAWL_OK;
}

/* A disk without room: a new file goes, a used one stays as it is. */
static enum pawl_error making_give_up(struct wal_segments *segments, struct pawl_diag *diag)
{
    struct wal_making making = segments->making;
    segments->making = (struct wal_making){0};
    int error = 0;
    if (making.file != NULL)
        error = segments->disk.close(segments->disk.self, making.file);
    if (error == 0 && !making.is_reused)
        error = segments->disk.remove(segments->disk.self, FRESH_NAME);
    return error == 0 ? PAWL_E_DISK_FULL : disk_final(diag, error, "give up", "a spare segment");
}

/* Some more zeros; durable when they are all there. */
static enum pawl_error making_zero(struct wal_segments *segments, uint64_t bytes_max,
                                   struct pawl_diag *diag)
{
    struct wal_making *making = &segments->making;
    uint64_t rest = segments->segment_bytes - making->zeroed;
    uint64_t end = making->zeroed + (rest < bytes_max ? rest : bytes_max);
    if (!making->is_reused || !WAL_MUTANT(REUSE_UNZEROED))
        TRY(wal_segments_zero(segments, making->file, making->zeroed, end, diag));
    making->zeroed = end;
    if (end < segments->segment_bytes)
        return PAWL_OK;
    int error = segments->disk.sync(segments->disk.self, making->file);
    return disk_final(diag, error, "sync", "a spare segment");
}

/* All of it is zeroed and durable: it gets its name. */
static enum pawl_error making_finish(struct wal_segments *segments, struct pawl_diag *diag)
{
    struct wal_making *making = &segments->making;
    char name[WAL_NAME_BYTES], spare[WAL_NAME_BYTES];
    TRY(blank_reserve(segments)); /* what was retired meanwhile has taken places too */
    making_name(making, name);
    file_name(FILE_SPARE, making->number, spare);
    int error = segments->disk.close(segments->disk.self, making->file);
    making->file = NULL;
    TRY(disk_final(diag, error, "close", name));
    error = segments->disk.rename(segments->disk.self, name, spare);
    if (error != 0)
        return wal_disk_error(diag, error, "rename", name);
    TRY(directory_sync(segments, diag));
    size_t at = blank_find(segments, false);
    while (making->is_reused && segments->blank[at].number != making->number)
        at--;
    if (!making->is_reused)
        at = segments->blank_count++;
    segments->blank[at] = (struct wal_blank){.number = making->number, .is_zeroed = true};
    segments->making = (struct wal_making){0};
    return PAWL_OK;
}

enum pawl_error wal_segments_prepare(struct wal_segments *segments, uint64_t bytes_max,
                                     struct pawl_diag *diag)
{
    enum pawl_error outcome = PAWL_OK;
    if (segments->making.file == NULL)
        TRY(making_begin(segments, diag));
    outcome = making_zero(segments, bytes_max, diag);
    if (outcome == PAWL_OK && segments->making.zeroed == segments->segment_bytes)
        outcome = making_finish(segments, diag);
    return outcome == PAWL_E_DISK_FULL ? making_give_up(segments, diag) : outcome;
}

enum pawl_error wal_segments_spares_reserve(struct wal_segments *segments, size_t count,
                                            struct pawl_diag *diag)
{
    while (wal_segments_spares(segments) < count)
        TRY(wal_segments_prepare(segments, UINT64_MAX, diag));
    return PAWL_OK;
}

/* --- segments --- */

/* The header twice, then the state records: what a segment has before it gets its name. */
static enum pawl_error segment_begin(struct wal_segments *segments, struct disk_file *file,
                                     const struct wal_segment_header *header, struct bytes begin,
                                     struct pawl_diag *diag)
{
    struct buffer out = {0};
    uint8_t *at = buffer_extend(&out, WAL_DATA_OFFSET);
    if (at != NULL) {
        wal_segment_header_encode(header, at);
        wal_segment_header_encode(header, at + WAL_SECTOR_BYTES);
    }
    buffer_append(&out, begin.data, begin.size);
    if (out.is_failed) {
        buffer_done(&out);
        return PAWL_E_NO_MEMORY;
    }
    int error = segments->disk.write(segments->disk.self, file, 0, out.data, out.size);
    buffer_done(&out);
    if (error != 0)
        return wal_disk_error(diag, error, "begin", "a segment");
    return disk_final(diag, segments->disk.sync(segments->disk.self, file), "sync", "a segment");
}

static enum pawl_error segment_name_give(struct wal_segments *segments, const char *from,
                                         uint64_t sequence, struct pawl_diag *diag)
{
    char name[WAL_NAME_BYTES];
    wal_segment_name(sequence, name);
    int error = segments->disk.rename(segments->disk.self, from, name);
    if (error != 0)
        return wal_disk_error(diag, error, "rename", from);
    return WAL_MUTANT(ROLL_UNSYNCED) ? PAWL_OK : directory_sync(segments, diag);
}

enum pawl_error wal_segments_roll(struct wal_segments *segments,
                                  const struct wal_segment_header *header, struct bytes begin,
                                  struct pawl_diag *diag)
{
    TRY(segment_reserve(segments));
    TRY(wal_segments_spares_reserve(segments, 1, diag));
    size_t position = blank_find(segments, true);
    char name[WAL_NAME_BYTES];
    file_name(FILE_SPARE, segments->blank[position].number, name);
    struct disk_file *file;
    int error = segments->disk.open(segments->disk.self, name, false, &file);
    TRY(disk_final(diag, error, "open", name));
    enum pawl_error outcome = segment_begin(segments, file, header, begin, diag);
    if (outcome == PAWL_OK)
        outcome = segment_name_give(segments, name, header->sequence, diag);
    if (outcome != PAWL_OK) {
        segments->disk.close(segments->disk.self, file);
        return outcome;
    }
    blank_drop(segments, position);
    segments->segment[segments->count++] =
        (struct wal_segment){.header = *header, .file = file, .end = WAL_DATA_OFFSET + begin.size};
    return PAWL_OK;
}

enum pawl_error wal_segments_retire(struct wal_segments *segments, size_t position,
                                    size_t blanks_max, struct pawl_diag *diag)
{
    TRY(blank_reserve(segments));
    struct wal_segment segment = segments->segment[position];
    char name[WAL_NAME_BYTES], used[WAL_NAME_BYTES];
    wal_segment_name(segment.header.sequence, name);
    bool is_reusable =
        segments->blank_count < blanks_max && segment.header.bytes == segments->segment_bytes;
    int error = segments->disk.close(segments->disk.self, segment.file);
    segments->count--;
    memmove(segments->segment + position, segments->segment + position + 1,
            (segments->count - position) * sizeof *segments->segment);
    TRY(disk_final(diag, error, "close", name));
    file_name(FILE_USED, segments->next_blank, used);
    error = is_reusable ? segments->disk.rename(segments->disk.self, name, used) : ENOSPC;
    if (error == 0) {
        segments->blank[segments->blank_count++] =
            (struct wal_blank){.number = segments->next_blank++};
        return directory_sync(segments, diag);
    }
    if (error != ENOSPC)
        return disk_final(diag, error, "rename", name);
    error = segments->disk.remove(segments->disk.self, name);
    TRY(disk_final(diag, error, "remove", name));
    return directory_sync(segments, diag);
}
