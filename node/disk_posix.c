#include "node/disk_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct disk_posix {
    int directory;
};

/* What whole blocks bypass the page cache with: written once and hardly ever read, they would only
 * cost copies and writeback there. */
enum { BLOCK_BYTES = 4096 };

struct disk_file {
    int descriptor;
    int direct; /* the same file, past the page cache; -1: this file system has no such thing */
};

static int directory_of(void *self)
{
    return ((const struct disk_posix *)self)->directory;
}

/* Repeat what a signal interrupted. */
#define RETRY(result, call)                                                                        \
    do {                                                                                           \
        (result) = (call);                                                                         \
    } while ((result) == -1 && errno == EINTR)

static int posix_disk_sync(void *self, struct disk_file *file)
{
    (void)self;
    int result;
    RETRY(result, fdatasync(file->descriptor));
    return result == 0 ? 0 : errno;
}

static int posix_disk_open(void *self, const char *name, bool create, struct disk_file **file_out)
{
    struct disk_file *file = malloc(sizeof *file);
    if (file == NULL)
        return ENOMEM;
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT | O_EXCL : 0);
    RETRY(file->descriptor, openat(directory_of(self), name, flags, 0600));
    if (file->descriptor == -1) {
        int error = errno;
        free(file);
        return error;
    }
    int error = create ? 0 : posix_disk_sync(self, file);
    if (error == 0 && !create)
        error = posix_fadvise(file->descriptor, 0, 0, POSIX_FADV_DONTNEED);
    if (error != 0) {
        close(file->descriptor);
        free(file);
        return error;
    }
    RETRY(file->direct,
          openat(directory_of(self), name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_DIRECT));
    *file_out = file;
    return 0;
}

/* An interrupted close has closed the descriptor all the same, on Linux. */
static int posix_disk_close(void *self, struct disk_file *file)
{
    (void)self;
    if (file->direct != -1)
        close(file->direct);
    int result = close(file->descriptor);
    int error = result == 0 || errno == EINTR ? 0 : errno;
    free(file);
    return error;
}

static bool is_whole_blocks(const void *data, uint64_t offset, size_t size)
{
    return (offset | size | (uintptr_t)data) % BLOCK_BYTES == 0;
}

/* Part of the bytes, at least one; -1: errno says why not. */
static ssize_t write_some(const struct disk_file *file, const void *data, size_t size,
                          uint64_t offset)
{
    ssize_t put = -1;
    if (file->direct != -1 && is_whole_blocks(data, offset, size)) {
        RETRY(put, pwrite(file->direct, data, size, (off_t)offset));
        if (put != -1 || errno != EINVAL) /* that: this file system wants larger blocks */
            return put;
    }
    RETRY(put, pwrite(file->descriptor, data, size, (off_t)offset));
    return put;
}

static int posix_disk_read(void *self, struct disk_file *file, uint64_t offset, void *out,
                           size_t size, size_t *size_out)
{
    (void)self;
    size_t done = 0;
    while (done < size) {
        ssize_t got;
        RETRY(got,
              pread(file->descriptor, (uint8_t *)out + done, size - done, (off_t)(offset + done)));
        if (got == -1)
            return errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *size_out = done;
    return 0;
}

static int posix_disk_write(void *self, struct disk_file *file, uint64_t offset, const void *data,
                            size_t size)
{
    (void)self;
    for (size_t done = 0; done < size;) {
        ssize_t put = write_some(file, (const uint8_t *)data + done, size - done, offset + done);
        if (put == -1)
            return errno;
        if (put == 0)
            return EIO;
        done += (size_t)put;
    }
    return 0;
}

static int posix_disk_size(void *self, struct disk_file *file, uint64_t *bytes_out)
{
    (void)self;
    struct stat status;
    if (fstat(file->descriptor, &status) != 0)
        return errno;
    *bytes_out = (uint64_t)status.st_size;
    return 0;
}

static int posix_disk_rename(void *self, const char *from, const char *to)
{
    int directory = directory_of(self);
    return renameat(directory, from, directory, to) == 0 ? 0 : errno;
}

static int posix_disk_remove(void *self, const char *name)
{
    return unlinkat(directory_of(self), name, 0) == 0 ? 0 : errno;
}

static int posix_disk_sync_directory(void *self)
{
    int result;
    RETRY(result, fsync(directory_of(self)));
    return result == 0 ? 0 : errno;
}

static int posix_disk_list(void *self, void (*each)(void *user, const char *name), void *user)
{
    /* A descriptor of its own: a stream over a copy would share the position. */
    int descriptor = openat(directory_of(self), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor == -1)
        return errno;
    DIR *stream = fdopendir(descriptor);
    if (stream == NULL) {
        int error = errno;
        close(descriptor);
        return error;
    }
    errno = 0;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL; errno = 0)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            each(user, entry->d_name);
    int error = errno;
    closedir(stream);
    return error;
}

static int posix_disk_free_bytes(void *self, uint64_t *bytes_out)
{
    struct statvfs status;
    int result;
    RETRY(result, fstatvfs(directory_of(self), &status));
    if (result != 0)
        return errno;
    *bytes_out = (uint64_t)status.f_bavail * status.f_frsize;
    return 0;
}

enum pawl_error disk_posix_open(const char *path, struct disk_posix **disk_out,
                                struct pawl_diag *diag)
{
    struct disk_posix *disk = malloc(sizeof *disk);
    if (disk == NULL)
        return PAWL_E_NO_MEMORY;
    disk->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (disk->directory == -1) {
        int error = errno;
        free(disk);
        return diag_fail(diag, PAWL_E_IO, "cannot open the directory %s: %s", path,
                         strerror(error));
    }
    *disk_out = disk;
    return PAWL_OK;
}

void disk_posix_close(struct disk_posix *disk)
{
    close(disk->directory);
    free(disk);
}

struct disk_port disk_posix_port(struct disk_posix *disk)
{
    return (struct disk_port){
        .self = disk,
        .block_bytes = BLOCK_BYTES,
        .open = posix_disk_open,
        .close = posix_disk_close,
        .read = posix_disk_read,
        .write = posix_disk_write,
        .sync = posix_disk_sync,
        .size = posix_disk_size,
        .rename = posix_disk_rename,
        .remove = posix_disk_remove,
        .sync_directory = posix_disk_sync_directory,
        .list = posix_disk_list,
        .free_bytes = posix_disk_free_bytes,
    };
}
