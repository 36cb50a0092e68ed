#include "tests/sim/disk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/random.h"

enum { SECTOR_BYTES = 512, NAME_BYTES = 64 };

/* A sector's content before it was first written since the last sync; NULL: it is durable. */
struct sector {
    uint8_t *before;
    bool has_block;
};

struct inode {
    uint8_t *bytes;
    struct sector *sectors;
    size_t sector_count; /* allocated in memory */
    uint64_t size, durable_size;
    size_t open_count;
};

struct name {
    char text[NAME_BYTES];
    size_t inode;
};

struct directory {
    struct name *names;
    size_t count;
};

/* A change of the directory that is not durable. to empty: a removal; from empty: a creation. */
struct change {
    char from[NAME_BYTES], to[NAME_BYTES];
    size_t inode;
};

struct sim_disk {
    struct random random;
    struct inode **inodes; /* NULL: gone */
    size_t inode_count;
    struct directory now, durable;
    struct change *changes;
    size_t change_count;
    uint64_t capacity_bytes;
    bool is_full, is_dark, has_failed;
    bool has_dark_timer;
    uint64_t dark_after;
    unsigned fail_calls;
    uint64_t fail_in;
    int fail_error;
    struct sim_disk_figures figures;
};

struct disk_file {
    size_t inode;
};

static void *must(void *memory)
{
    assert(memory != NULL);
    return memory;
}

/* --- directories and inodes --- */

static struct name *directory_find(const struct directory *directory, const char *text)
{
    for (size_t i = 0; i < directory->count; i++)
        if (strcmp(directory->names[i].text, text) == 0)
            return &directory->names[i];
    return NULL;
}

static void directory_put(struct directory *directory, const char *text, size_t inode)
{
    struct name *name = directory_find(directory, text);
    if (name == NULL) {
        directory->names =
            must(realloc(directory->names, (directory->count + 1) * sizeof *directory->names));
        name = &directory->names[directory->count++];
        assert(strlen(text) < NAME_BYTES);
        strcpy(name->text, text);
    }
    name->inode = inode;
}

static void directory_drop(struct directory *directory, const char *text)
{
    struct name *name = directory_find(directory, text);
    if (name != NULL)
        *name = directory->names[--directory->count];
}

static void directory_copy(struct directory *to, const struct directory *from)
{
    free(to->names);
    to->count = from->count;
    to->names = must(malloc((from->count + 1) * sizeof *to->names));
    if (from->count > 0)
        memcpy(to->names, from->names, from->count * sizeof *to->names);
}

/* A rename whose file never became durable under its old name moves nothing. */
static void change_apply(struct directory *directory, const struct change *change)
{
    if (change->from[0] == '\0') {
        directory_put(directory, change->to, change->inode);
        return;
    }
    struct name *name = directory_find(directory, change->from);
    if (name == NULL || name->inode != change->inode)
        return;
    directory_drop(directory, change->from);
    if (change->to[0] != '\0')
        directory_put(directory, change->to, change->inode);
}

static void change_add(struct sim_disk *disk, const char *from, const char *to, size_t inode)
{
    disk->changes = must(realloc(disk->changes, (disk->change_count + 1) * sizeof *disk->changes));
    struct change *change = &disk->changes[disk->change_count++];
    *change = (struct change){.inode = inode};
    assert(strlen(from) < NAME_BYTES && strlen(to) < NAME_BYTES);
    strcpy(change->from, from);
    strcpy(change->to, to);
    change_apply(&disk->now, change);
}

static void inode_free(struct inode *inode)
{
    if (inode == NULL)
        return;
    for (size_t i = 0; i < inode->sector_count; i++)
        free(inode->sectors[i].before);
    free(inode->sectors);
    free(inode->bytes);
    free(inode);
}

static bool directory_holds(const struct directory *directory, size_t inode)
{
    for (size_t i = 0; i < directory->count; i++)
        if (directory->names[i].inode == inode)
            return true;
    return false;
}

static bool inode_is_reachable(const struct sim_disk *disk, size_t inode)
{
    for (size_t i = 0; i < disk->change_count; i++)
        if (disk->changes[i].inode == inode)
            return true;
    return disk->inodes[inode]->open_count > 0 || directory_holds(&disk->now, inode) ||
           directory_holds(&disk->durable, inode);
}

static void inodes_collect(struct sim_disk *disk)
{
    for (size_t i = 0; i < disk->inode_count; i++) {
        if (disk->inodes[i] == NULL || inode_is_reachable(disk, i))
            continue;
        inode_free(disk->inodes[i]);
        disk->inodes[i] = NULL;
    }
}

static size_t inode_new(struct sim_disk *disk)
{
    size_t at = 0;
    while (at < disk->inode_count && disk->inodes[at] != NULL)
        at++;
    if (at == disk->inode_count) {
        disk->inodes =
            must(realloc(disk->inodes, (disk->inode_count + 1) * sizeof(struct inode *)));
        disk->inode_count++;
    }
    disk->inodes[at] = must(calloc(1, sizeof(struct inode)));
    return at;
}

static void inode_grow(struct inode *inode, uint64_t bytes)
{
    size_t needed = (size_t)((bytes + SECTOR_BYTES - 1) / SECTOR_BYTES);
    if (needed <= inode->sector_count)
        return;
    size_t old = inode->sector_count;
    inode->bytes = must(realloc(inode->bytes, needed * SECTOR_BYTES));
    inode->sectors = must(realloc(inode->sectors, needed * sizeof *inode->sectors));
    memset(inode->bytes + old * SECTOR_BYTES, 0, (needed - old) * SECTOR_BYTES);
    memset(inode->sectors + old, 0, (needed - old) * sizeof *inode->sectors);
    inode->sector_count = needed;
}

static void sector_dirty(struct inode *inode, size_t sector)
{
    if (inode->sectors[sector].before != NULL)
        return;
    inode->sectors[sector].before = must(malloc(SECTOR_BYTES));
    memcpy(inode->sectors[sector].before, inode->bytes + sector * SECTOR_BYTES, SECTOR_BYTES);
}

static void inode_write(struct inode *inode, uint64_t offset, const uint8_t *data, size_t size)
{
    if (size == 0)
        return;
    inode_grow(inode, offset + size);
    size_t first = (size_t)(offset / SECTOR_BYTES);
    size_t last = (size_t)((offset + size - 1) / SECTOR_BYTES);
    for (size_t i = first; i <= last; i++) {
        sector_dirty(inode, i);
        inode->sectors[i].has_block = true;
    }
    memcpy(inode->bytes + offset, data, size);
    if (inode->size < offset + size)
        inode->size = offset + size;
}

static void inode_sync(struct inode *inode)
{
    for (size_t i = 0; i < inode->sector_count; i++) {
        free(inode->sectors[i].before);
        inode->sectors[i].before = NULL;
    }
    inode->durable_size = inode->size;
}

/* --- space --- */

static uint64_t blocks_used(const struct sim_disk *disk)
{
    uint64_t used = 0;
    for (size_t i = 0; i < disk->inode_count; i++)
        for (size_t k = 0; disk->inodes[i] != NULL && k < disk->inodes[i]->sector_count; k++)
            used += disk->inodes[i]->sectors[k].has_block;
    return used;
}

/* How many of a write's bytes find room. */
static size_t room_for(const struct sim_disk *disk, const struct inode *inode, uint64_t offset,
                       size_t size)
{
    if (!disk->is_full && disk->capacity_bytes == 0)
        return size;
    uint64_t limit = disk->is_full ? 0 : disk->capacity_bytes / SECTOR_BYTES;
    uint64_t used = disk->is_full ? 0 : blocks_used(disk);
    uint64_t at = offset;
    while (at < offset + size) {
        size_t sector = (size_t)(at / SECTOR_BYTES);
        bool has_block = sector < inode->sector_count && inode->sectors[sector].has_block;
        if (!has_block && used >= limit)
            return (size_t)(at - offset);
        used += !has_block;
        at = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
    }
    return size;
}

/* --- faults --- */

enum verdict { GO, FAIL_AFTER_EFFECT, FAIL_AT_ONCE };

/* What becomes of this call; *error_out when it fails. */
static enum verdict call_judge(struct sim_disk *disk, enum sim_disk_call call, bool is_change,
                               int *error_out)
{
    *error_out = EIO;
    disk->figures.changes += is_change;
    if (disk->is_dark)
        return FAIL_AT_ONCE;
    if (is_change && disk->has_dark_timer && disk->dark_after-- == 0) {
        disk->is_dark = true;
        return FAIL_AFTER_EFFECT;
    }
    if ((disk->fail_calls & (unsigned)call) == 0 || disk->fail_in == 0 || --disk->fail_in > 0)
        return GO;
    *error_out = disk->fail_error;
    disk->has_failed = true;
    return FAIL_AT_ONCE;
}

void sim_disk_crash_after(struct sim_disk *disk, uint64_t calls)
{
    disk->has_dark_timer = true;
    disk->dark_after = calls;
}

bool sim_disk_is_dark(const struct sim_disk *disk)
{
    return disk->is_dark;
}

void sim_disk_fail_at(struct sim_disk *disk, unsigned calls, uint64_t nth, int error)
{
    disk->fail_calls = calls;
    disk->fail_in = nth;
    disk->fail_error = error;
    disk->has_failed = false;
}

bool sim_disk_has_failed(const struct sim_disk *disk)
{
    return disk->has_failed;
}

void sim_disk_set_full(struct sim_disk *disk, bool is_full)
{
    disk->is_full = is_full;
}

void sim_disk_set_capacity(struct sim_disk *disk, uint64_t bytes)
{
    disk->capacity_bytes = bytes;
}

void sim_disk_heal(struct sim_disk *disk)
{
    disk->has_dark_timer = disk->is_dark = disk->has_failed = false;
    disk->fail_calls = 0;
    disk->fail_in = 0;
}

/* --- the port --- */

static int port_open(void *self, const char *name, bool create, struct disk_file **file_out)
{
    struct sim_disk *disk = self;
    int error;
    enum verdict verdict = call_judge(disk, SIM_DISK_OPEN, create, &error);
    if (verdict == FAIL_AT_ONCE)
        return error;
    const struct name *found = directory_find(&disk->now, name);
    if (create ? found != NULL : found == NULL)
        return create ? EEXIST : ENOENT;
    if (create) {
        change_add(disk, "", name, inode_new(disk));
        found = directory_find(&disk->now, name);
    }
    if (verdict == FAIL_AFTER_EFFECT)
        return error;
    struct disk_file *file = must(malloc(sizeof *file));
    file->inode = found->inode;
    disk->inodes[file->inode]->open_count++;
    disk->figures.open_count++;
    *file_out = file;
    return 0;
}

static int port_close(void *self, struct disk_file *file)
{
    struct sim_disk *disk = self;
    disk->inodes[file->inode]->open_count--;
    disk->figures.open_count--;
    free(file);
    inodes_collect(disk);
    return 0;
}

static int port_read(void *self, struct disk_file *file, uint64_t offset, void *out, size_t size,
                     size_t *size_out)
{
    struct sim_disk *disk = self;
    int error;
    if (call_judge(disk, SIM_DISK_READ, false, &error) != GO)
        return error;
    const struct inode *inode = disk->inodes[file->inode];
    uint64_t there = inode->size > offset ? inode->size - offset : 0;
    *size_out = there < size ? (size_t)there : size;
    if (*size_out > 0)
        memcpy(out, inode->bytes + offset, *size_out);
    return 0;
}

/* Some of a write's bytes, from its beginning, up to the end of a sector. */
static size_t sectors_at_random(struct sim_disk *disk, uint64_t offset, size_t size)
{
    uint64_t end = (offset + random_below(&disk->random, size + 1)) / SECTOR_BYTES * SECTOR_BYTES;
    return end > offset ? (size_t)(end - offset) : 0;
}

static int port_write(void *self, struct disk_file *file, uint64_t offset, const void *data,
                      size_t size)
{
    struct sim_disk *disk = self;
    struct inode *inode = disk->inodes[file->inode];
    int error;
    enum verdict verdict = call_judge(disk, SIM_DISK_WRITE, true, &error);
    if (verdict == FAIL_AT_ONCE && disk->is_dark)
        return error;
    disk->figures.writes++;
    size_t part = room_for(disk, inode, offset, size);
    if (verdict == FAIL_AT_ONCE)
        part = sectors_at_random(disk, offset, part);
    inode_write(inode, offset, data, part);
    if (verdict != GO)
        return error;
    return part == size ? 0 : ENOSPC;
}

static int port_sync(void *self, struct disk_file *file)
{
    struct sim_disk *disk = self;
    int error;
    if (call_judge(disk, SIM_DISK_SYNC, true, &error) != GO)
        return error;
    disk->figures.syncs++;
    inode_sync(disk->inodes[file->inode]);
    return 0;
}

static int port_size(void *self, struct disk_file *file, uint64_t *bytes_out)
{
    const struct sim_disk *disk = self;
    if (disk->is_dark)
        return EIO;
    *bytes_out = disk->inodes[file->inode]->size;
    return 0;
}

static int port_rename(void *self, const char *from, const char *to)
{
    struct sim_disk *disk = self;
    int error;
    enum verdict verdict = call_judge(disk, SIM_DISK_RENAME, true, &error);
    if (verdict == FAIL_AT_ONCE)
        return error;
    const struct name *found = directory_find(&disk->now, from);
    if (found == NULL)
        return ENOENT;
    change_add(disk, from, to, found->inode);
    return verdict == GO ? 0 : error;
}

static int port_remove(void *self, const char *name)
{
    struct sim_disk *disk = self;
    int error;
    enum verdict verdict = call_judge(disk, SIM_DISK_RENAME, true, &error);
    if (verdict == FAIL_AT_ONCE)
        return error;
    const struct name *found = directory_find(&disk->now, name);
    if (found == NULL)
        return ENOENT;
    change_add(disk, name, "", found->inode);
    return verdict == GO ? 0 : error;
}

static int port_sync_directory(void *self)
{
    struct sim_disk *disk = self;
    int error;
    if (call_judge(disk, SIM_DISK_SYNC_DIRECTORY, true, &error) != GO)
        return error;
    disk->figures.directory_syncs++;
    directory_copy(&disk->durable, &disk->now);
    disk->change_count = 0;
    inodes_collect(disk);
    return 0;
}

static int port_list(void *self, void (*each)(void *user, const char *name), void *user)
{
    struct sim_disk *disk = self;
    int error;
    if (call_judge(disk, SIM_DISK_LIST, false, &error) != GO)
        return error;
    for (size_t i = 0; i < disk->now.count; i++)
        each(user, disk->now.names[i].text);
    return 0;
}

static int port_free_bytes(void *self, uint64_t *bytes_out)
{
    const struct sim_disk *disk = self;
    if (disk->is_dark)
        return EIO;
    uint64_t used = blocks_used(disk) * SECTOR_BYTES;
    if (disk->is_full)
        *bytes_out = 0;
    else if (disk->capacity_bytes == 0)
        *bytes_out = (uint64_t)1 << 40;
    else
        *bytes_out = disk->capacity_bytes > used ? disk->capacity_bytes - used : 0;
    return 0;
}

struct disk_port sim_disk_port(struct sim_disk *disk)
{
    return (struct disk_port){
        .self = disk,
        .open = port_open,
        .close = port_close,
        .read = port_read,
        .write = port_write,
        .sync = port_sync,
        .size = port_size,
        .rename = port_rename,
        .remove = port_remove,
        .sync_directory = port_sync_directory,
        .list = port_list,
        .free_bytes = port_free_bytes,
    };
}

/* --- life --- */

struct sim_disk *sim_disk_new(uint64_t seed)
{
    struct sim_disk *disk = calloc(1, sizeof *disk);
    if (disk != NULL)
        random_seed(&disk->random, seed);
    return disk;
}

void sim_disk_free(struct sim_disk *disk)
{
    for (size_t i = 0; i < disk->inode_count; i++)
        inode_free(disk->inodes[i]);
    free(disk->inodes);
    free(disk->now.names);
    free(disk->durable.names);
    free(disk->changes);
    free(disk);
}

static struct inode *inode_clone(const struct inode *from)
{
    struct inode *to = must(calloc(1, sizeof *to));
    inode_grow(to, from->sector_count * (uint64_t)SECTOR_BYTES);
    if (from->sector_count > 0)
        memcpy(to->bytes, from->bytes, from->sector_count * SECTOR_BYTES);
    for (size_t i = 0; i < from->sector_count; i++) {
        to->sectors[i].has_block = from->sectors[i].has_block;
        if (from->sectors[i].before == NULL)
            continue;
        to->sectors[i].before = must(malloc(SECTOR_BYTES));
        memcpy(to->sectors[i].before, from->sectors[i].before, SECTOR_BYTES);
    }
    to->size = from->size;
    to->durable_size = from->durable_size;
    return to;
}

struct sim_disk *sim_disk_clone(const struct sim_disk *disk)
{
    assert(disk->figures.open_count == 0);
    struct sim_disk *clone = malloc(sizeof *clone);
    if (clone == NULL)
        return NULL;
    *clone = *disk;
    clone->inodes = must(calloc(disk->inode_count + 1, sizeof(struct inode *)));
    for (size_t i = 0; i < disk->inode_count; i++)
        if (disk->inodes[i] != NULL)
            clone->inodes[i] = inode_clone(disk->inodes[i]);
    clone->now = clone->durable = (struct directory){0};
    directory_copy(&clone->now, &disk->now);
    directory_copy(&clone->durable, &disk->durable);
    clone->changes = must(malloc((disk->change_count + 1) * sizeof *clone->changes));
    if (disk->change_count > 0)
        memcpy(clone->changes, disk->changes, disk->change_count * sizeof *clone->changes);
    return clone;
}

struct sim_disk_figures sim_disk_figures(const struct sim_disk *disk)
{
    return disk->figures;
}

/* --- power cuts --- */

size_t sim_disk_volatile_count(const struct sim_disk *disk)
{
    size_t count = disk->change_count;
    for (size_t i = 0; i < disk->inode_count; i++) {
        const struct inode *inode = disk->inodes[i];
        if (inode == NULL)
            continue;
        count += inode->size != inode->durable_size;
        for (size_t k = 0; k < inode->sector_count; k++)
            count += inode->sectors[k].before != NULL;
    }
    return count;
}

/* Numbers the volatile things from *number on. */
static void inode_crash(struct inode *inode, bool (*keep)(void *user, size_t number), void *user,
                        size_t *number)
{
    if (inode->size != inode->durable_size && !keep(user, (*number)++))
        inode->size = inode->durable_size;
    for (size_t i = 0; i < inode->sector_count; i++) {
        struct sector *sector = &inode->sectors[i];
        if (sector->before != NULL && !keep(user, (*number)++))
            memcpy(inode->bytes + i * SECTOR_BYTES, sector->before, SECTOR_BYTES);
    }
    /* Nothing shows behind the end, also when the file grows again. */
    if (inode->size < inode->sector_count * (uint64_t)SECTOR_BYTES)
        memset(inode->bytes + inode->size, 0,
               (size_t)(inode->sector_count * (uint64_t)SECTOR_BYTES - inode->size));
    inode_sync(inode);
}

void sim_disk_crash_keeping(struct sim_disk *disk, bool (*keep)(void *user, size_t number),
                            void *user)
{
    size_t number = 0;
    for (size_t i = 0; i < disk->change_count; i++)
        if (keep(user, number++))
            change_apply(&disk->durable, &disk->changes[i]);
    for (size_t i = 0; i < disk->inode_count; i++)
        if (disk->inodes[i] != NULL)
            inode_crash(disk->inodes[i], keep, user, &number);
    directory_copy(&disk->now, &disk->durable);
    disk->change_count = 0;
    inodes_collect(disk);
    sim_disk_heal(disk);
}

static bool keep_at_random(void *user, size_t number)
{
    (void)number;
    struct random *random = user;
    return random_below(random, 2) == 1;
}

void sim_disk_crash(struct sim_disk *disk)
{
    sim_disk_crash_keeping(disk, keep_at_random, &disk->random);
}

/* --- bytes at rest --- */

static struct inode *inode_named(const struct sim_disk *disk, const char *name)
{
    const struct name *found = directory_find(&disk->now, name);
    return found != NULL ? disk->inodes[found->inode] : NULL;
}

bool sim_disk_flip(struct sim_disk *disk, const char *name, uint64_t offset, unsigned bit)
{
    struct inode *inode = inode_named(disk, name);
    if (inode == NULL || offset >= inode->size)
        return false;
    inode->bytes[offset] = (uint8_t)(inode->bytes[offset] ^ 1u << bit);
    return true;
}

bool sim_disk_zero_sector(struct sim_disk *disk, const char *name, uint64_t sector)
{
    struct inode *inode = inode_named(disk, name);
    if (inode == NULL || sector * SECTOR_BYTES >= inode->size)
        return false;
    memset(inode->bytes + sector * SECTOR_BYTES, 0, SECTOR_BYTES);
    return true;
}

bool sim_disk_shorten(struct sim_disk *disk, const char *name, uint64_t bytes)
{
    struct inode *inode = inode_named(disk, name);
    if (inode == NULL || bytes > inode->size)
        return false;
    memset(inode->bytes + bytes, 0, (size_t)(inode->size - bytes));
    inode->size = bytes;
    inode_sync(inode);
    return true;
}

bool sim_disk_lose(struct sim_disk *disk, const char *name)
{
    if (directory_find(&disk->now, name) == NULL)
        return false;
    directory_drop(&disk->now, name);
    directory_drop(&disk->durable, name);
    inodes_collect(disk);
    return true;
}

bool sim_disk_put(struct sim_disk *disk, const char *name, struct bytes content)
{
    if (strlen(name) >= NAME_BYTES)
        return false;
    size_t at = inode_new(disk);
    inode_write(disk->inodes[at], 0, content.data, content.size);
    inode_sync(disk->inodes[at]);
    directory_put(&disk->now, name, at);
    directory_put(&disk->durable, name, at);
    inodes_collect(disk);
    return true;
}

struct bytes sim_disk_content(const struct sim_disk *disk, const char *name)
{
    const struct inode *inode = inode_named(disk, name);
    if (inode == NULL)
        return (struct bytes){NULL, 0};
    static const uint8_t nothing[1];
    return inode->size > 0 ? bytes_of(inode->bytes, (size_t)inode->size) : bytes_of(nothing, 0);
}
