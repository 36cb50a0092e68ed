#include "tests/bench/memory_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_BYTES = 64,
    BLOCK_BYTES = 4096, /* what pawld's disk port asks for */
    FREE_BYTES = 1 << 30,
    FILE_BYTES_MAX = 1 << 28
};

struct disk_file {
    struct disk_file *next;
    char name[NAME_BYTES];
    struct buffer content;
};

struct memory_disk {
    struct disk_file *files;
    struct memory_disk_figures figures;
};

static struct disk_file **file_find(struct memory_disk *disk, const char *name)
{
    struct disk_file **at = &disk->files;
    while (*at != NULL && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static int disk_open(void *self, const char *name, bool create, struct disk_file **file_out)
{
    struct disk_file **at = file_find(self, name);
    if (create && *at != NULL)
        return EEXIST;
    if (!create && *at == NULL)
        return ENOENT;
    if (create) {
        *at = calloc(1, sizeof **at);
        if (*at == NULL)
            return ENOMEM;
        (*at)->content.limit = FILE_BYTES_MAX;
        snprintf((*at)->name, sizeof(*at)->name, "%s", name);
    }
    *file_out = *at;
    return 0;
}

static int disk_close(void *self, struct disk_file *file)
{
    (void)self;
    (void)file;
    return 0;
}

static int disk_read(void *self, struct disk_file *file, uint64_t offset, void *out, size_t size,
                     size_t *size_out)
{
    (void)self;
    const size_t end = file->content.size;
    const size_t begin = offset < end ? (size_t)offset : end;
    *size_out = size < end - begin ? size : end - begin;
    if (*size_out > 0)
        memcpy(out, file->content.data + begin, *size_out);
    return 0;
}

static int grow(struct disk_file *file, size_t bytes)
{
    if (bytes <= file->content.size)
        return 0;
    const size_t more = bytes - file->content.size;
    uint8_t *added = buffer_extend(&file->content, more);
    if (added == NULL)
        return ENOSPC;
    memset(added, 0, more);
    return 0;
}

static int disk_write(void *self, struct disk_file *file, uint64_t offset, const void *data,
                      size_t size)
{
    struct memory_disk *disk = self;
    const int error = grow(file, (size_t)offset + size);
    if (error != 0)
        return error;
    memcpy(file->content.data + offset, data, size);
    disk->figures.write_count++;
    disk->figures.write_bytes += size;
    return 0;
}

static int disk_sync(void *self, struct disk_file *file)
{
    struct memory_disk *disk = self;
    (void)file;
    disk->figures.sync_count++;
    return 0;
}

static int disk_size(void *self, struct disk_file *file, uint64_t *bytes_out)
{
    (void)self;
    *bytes_out = file->content.size;
    return 0;
}

static int disk_remove(void *self, const char *name)
{
    struct disk_file **at = file_find(self, name), *file = *at;
    if (file == NULL)
        return ENOENT;
    *at = file->next;
    buffer_done(&file->content);
    free(file);
    return 0;
}

static int disk_rename(void *self, const char *from, const char *to)
{
    (void)disk_remove(self, to);
    struct disk_file *file = *file_find(self, from);
    if (file == NULL)
        return ENOENT;
    snprintf(file->name, sizeof file->name, "%s", to);
    return 0;
}

static int disk_sync_directory(void *self)
{
    (void)self;
    return 0;
}

static int disk_list(void *self, void (*each)(void *user, const char *name), void *user)
{
    const struct memory_disk *disk = self;
    for (const struct disk_file *file = disk->files; file != NULL; file = file->next)
        each(user, file->name);
    return 0;
}

static int disk_free_bytes(void *self, uint64_t *bytes_out)
{
    (void)self;
    *bytes_out = FREE_BYTES;
    return 0;
}

struct memory_disk *memory_disk_new(void)
{
    return calloc(1, sizeof(struct memory_disk));
}

void memory_disk_free(struct memory_disk *disk)
{
    while (disk != NULL && disk->files != NULL)
        (void)disk_remove(disk, disk->files->name);
    free(disk);
}

struct disk_port memory_disk_port(struct memory_disk *disk)
{
    return (struct disk_port){
        .self = disk,
        .block_bytes = BLOCK_BYTES,
        .open = disk_open,
        .close = disk_close,
        .read = disk_read,
        .write = disk_write,
        .sync = disk_sync,
        .size = disk_size,
        .rename = disk_rename,
        .remove = disk_remove,
        .sync_directory = disk_sync_directory,
        .list = disk_list,
        .free_bytes = disk_free_bytes,
    };
}

struct memory_disk_figures memory_disk_figures(const struct memory_disk *disk)
{
    return disk->figures;
}
