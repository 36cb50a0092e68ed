#include "node/cluster/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/json.h"

static const char file_name[] = "identity.json";
static const char temporary_name[] = "identity.json.new";
enum { FILE_BYTES_MAX = 65536 };

/* ---- the directory ---- */

enum pawl_error data_dir_open(const char *path, struct data_dir *dir_out, struct pawl_diag *diag)
{
    struct data_dir dir;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return diag_fail(diag, PAWL_E_IO, "cannot make the data directory %s: %s", path,
                         strerror(errno));
    dir.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir.fd < 0)
        return diag_fail(diag, PAWL_E_IO, "cannot open the data directory %s: %s", path,
                         strerror(errno));
    dir.lock_fd = openat(dir.fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (dir.lock_fd < 0) {
        close(dir.fd);
        return diag_fail(diag, PAWL_E_IO, "cannot open %s/lock: %s", path, strerror(errno));
    }
    if (flock(dir.lock_fd, LOCK_EX | LOCK_NB) != 0) {
        close(dir.lock_fd);
        close(dir.fd);
        return diag_fail(diag, PAWL_E_LOCKED,
                         "another process holds the data directory %s; stop it, or choose another "
                         "directory with --data",
                         path);
    }
    *dir_out = dir;
    return PAWL_OK;
}

void data_dir_close(struct data_dir *dir)
{
    close(dir->lock_fd);
    close(dir->fd);
}

/* ---- reading ---- */

static enum pawl_error read_file(const struct data_dir *dir, struct buffer *text_out,
                                 struct pawl_diag *diag)
{
    int fd = openat(dir->fd, file_name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return PAWL_E_NOT_FOUND;
    if (fd < 0)
        return diag_fail(diag, PAWL_E_IO, "cannot open %s: %s", file_name, strerror(errno));
    uint8_t chunk[4096];
    ssize_t count;
    while ((count = read(fd, chunk, sizeof chunk)) > 0 && text_out->size < FILE_BYTES_MAX)
        buffer_append(text_out, chunk, (size_t)count);
    const int read_errno = errno;
    close(fd);
    if (count < 0)
        return diag_fail(diag, PAWL_E_IO, "cannot read %s: %s", file_name, strerror(read_errno));
    return text_out->is_failed ? PAWL_E_NO_MEMORY : PAWL_OK;
}

static enum pawl_error parse_member(struct bytes value, struct msg_member *member_out)
{
    int64_t node;
    struct bytes number;
    if (!value_map_get(value, BYTES_LITERAL("node"), &number) || !value_integer(number, &node) ||
        node <= 0)
        return PAWL_E_CORRUPT;
    *member_out =
        (struct msg_member){.node = (uint64_t)node,
                            .name = value_map_string(value, BYTES_LITERAL("name")),
                            .peer_address = value_map_string(value, BYTES_LITERAL("peer")),
                            .client_address = value_map_string(value, BYTES_LITERAL("client"))};
    return member_out->peer_address.size > 0 ? PAWL_OK : PAWL_E_CORRUPT;
}

static enum pawl_error parse(struct bytes value, struct identity *identity_out)
{
    struct identity identity = {0};
    struct bytes node, members;
    struct value_head head;
    int64_t number;
    if (!id128_parse(value_map_string(value, BYTES_LITERAL("cluster")), &identity.cluster) ||
        !value_map_get(value, BYTES_LITERAL("node"), &node) || !value_integer(node, &number) ||
        number <= 0 || !value_map_get(value, BYTES_LITERAL("members"), &members))
        return PAWL_E_CORRUPT;
    identity.node = (uint64_t)number;
    struct value_cursor cursor = value_cursor_of(members);
    TRY(value_next(&cursor, &head));
    if (head.kind != VALUE_ARRAY || head.count == 0 || head.count > MEMBERS_MAX)
        return PAWL_E_CORRUPT;
    for (; identity.member_count < head.count; identity.member_count++) {
        struct bytes member;
        TRY(value_take(&cursor, &member));
        TRY(parse_member(member, &identity.members[identity.member_count]));
    }
    *identity_out = identity;
    return PAWL_OK;
}

enum pawl_error identity_read(const struct data_dir *dir, struct arena *arena,
                              struct identity *identity_out, struct pawl_diag *diag)
{
    struct buffer text = {0}, value = {0};
    enum pawl_error error = read_file(dir, &text, diag);
    if (error == PAWL_OK)
        error = json_read(buffer_bytes(&text), NULL, &value, diag);
    const struct bytes kept = arena_copy(arena, buffer_bytes(&value));
    buffer_done(&text);
    buffer_done(&value);
    if (error == PAWL_E_NOT_FOUND || error == PAWL_E_IO || error == PAWL_E_NO_MEMORY)
        return error;
    if (error != PAWL_OK || parse(kept, identity_out) != PAWL_OK)
        return diag_fail(diag, PAWL_E_CORRUPT,
                         "%s in the data directory is damaged; restore it from a copy, or rebuild "
                         "this node from its peers",
                         file_name);
    return PAWL_OK;
}

/* ---- writing ---- */

static void put(struct buffer *out, const char *key, struct bytes text)
{
    pack_text(out, key);
    pack_string(out, text);
}

static void write_text(const struct identity *identity, struct buffer *text_out)
{
    struct buffer value = {0};
    char cluster[37];
    id128_format(identity->cluster, cluster);
    pack_map(&value, 4);
    put(&value, "format", BYTES_LITERAL("pawl-identity-1"));
    put(&value, "cluster", bytes_string(cluster));
    pack_text(&value, "node");
    pack_unsigned(&value, identity->node);
    pack_text(&value, "members");
    pack_array(&value, (uint32_t)identity->member_count);
    for (size_t i = 0; i < identity->member_count; i++) {
        const struct msg_member *member = &identity->members[i];
        pack_map(&value, 4);
        pack_text(&value, "node");
        pack_unsigned(&value, member->node);
        put(&value, "name", member->name);
        put(&value, "peer", member->peer_address);
        put(&value, "client", member->client_address);
    }
    json_write(buffer_bytes(&value), JSON_INDENTED, text_out);
    buffer_append(text_out, "\n", 1);
    buffer_done(&value);
}

static int write_file(const struct data_dir *dir, struct bytes text)
{
    int fd = openat(dir->fd, temporary_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    int error = 0;
    for (size_t done = 0; done < text.size && error == 0;) {
        ssize_t count = write(fd, text.data + done, text.size - done);
        if (count < 0)
            error = errno == EINTR ? 0 : errno;
        else
            done += (size_t)count;
    }
    if (error == 0 && fsync(fd) != 0)
        error = errno;
    if (close(fd) != 0 && error == 0)
        error = errno;
    if (error == 0 && renameat(dir->fd, temporary_name, dir->fd, file_name) != 0)
        error = errno;
    if (error == 0 && fsync(dir->fd) != 0)
        error = errno;
    return error;
}

enum pawl_error identity_write(const struct data_dir *dir, const struct identity *identity,
                               struct pawl_diag *diag)
{
    struct buffer text = {0};
    write_text(identity, &text);
    int error = text.is_failed ? ENOMEM : write_file(dir, buffer_bytes(&text));
    buffer_done(&text);
    return error == 0
               ? PAWL_OK
               : diag_fail(diag, PAWL_E_IO, "cannot write %s: %s", file_name, strerror(error));
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
    if (!id128_equal(a->cluster, b->cluster) || a->node != b->node ||
        a->member_count != b->member_count)
        return false;
    for (size_t i = 0; i < a->member_count; i++)
        if (a->members[i].node != b->members[i].node ||
            !bytes_equal(a->members[i].peer_address, b->members[i].peer_address))
            return false;
    return true;
}
