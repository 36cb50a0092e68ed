#include "node/cluster/identity.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/json.h"

static const char file_name[] = "identity.json";
static const char temporary_name[] = "identity.json.new";
static const char mark_name[] = "begun";
static const char format_name[] = "pawl-identity-1";
enum { FILE_BYTES_MAX = 65536, CHECK_BYTES = 16, CHECK_TEXT_BYTES = 2 * CHECK_BYTES + 1 };

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

bool data_dir_has_begun(const struct data_dir *dir)
{
    return faccessat(dir->fd, mark_name, F_OK, 0) == 0;
}

enum pawl_error data_dir_begin(const struct data_dir *dir, struct pawl_diag *diag)
{
    if (data_dir_has_begun(dir))
        return PAWL_OK;
    const int fd = openat(dir->fd, mark_name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || close(fd) != 0 || fsync(dir->fd) != 0)
        return diag_fail(diag, PAWL_E_IO, "cannot make %s in the data directory: %s", mark_name,
                         strerror(errno));
    return PAWL_OK;
}

bool data_dir_has_log(const struct data_dir *dir)
{
    static const char prefix[] = "segment-";
    const int fd = openat(dir->fd, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *log = fd >= 0 ? fdopendir(fd) : NULL;
    bool is_found = false;
    if (log == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (const struct dirent *entry; !is_found && (entry = readdir(log)) != NULL;)
        is_found = strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0;
    closedir(log);
    return is_found;
}

/* ---- the content ---- */

static void put(struct buffer *out, const char *key, struct bytes text)
{
    pack_text(out, key);
    pack_string(out, text);
}

/* All of it but the check, as the last four pairs of a map. */
static void put_content(struct buffer *out, const struct identity *identity)
{
    char cluster[37];
    id128_format(identity->cluster, cluster);
    put(out, "format", bytes_string(format_name));
    put(out, "cluster", bytes_string(cluster));
    pack_text(out, "node");
    pack_unsigned(out, identity->node);
    pack_text(out, "members");
    pack_array(out, (uint32_t)identity->member_count);
    for (size_t i = 0; i < identity->member_count; i++) {
        const struct msg_member *member = &identity->members[i];
        pack_map(out, 4);
        pack_text(out, "node");
        pack_unsigned(out, member->node);
        put(out, "name", member->name);
        put(out, "peer", member->peer_address);
        put(out, "client", member->client_address);
    }
}

static void check_of(struct bytes content, char text_out[CHECK_TEXT_BYTES])
{
    uint8_t check[CHECK_BYTES];
    crypto_generichash(check, sizeof check, content.data, content.size, NULL, 0);
    sodium_bin2hex(text_out, CHECK_TEXT_BYTES, check, sizeof check);
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

/* What was read says the same as what was written. */
static bool is_checked(struct bytes value, const struct identity *identity)
{
    struct buffer content = {0};
    char check[CHECK_TEXT_BYTES];
    put_content(&content, identity);
    check_of(buffer_bytes(&content), check);
    const bool is_same =
        !content.is_failed &&
        bytes_equal(value_map_string(value, BYTES_LITERAL("check")), bytes_string(check)) &&
        bytes_equal(value_map_string(value, BYTES_LITERAL("format")), bytes_string(format_name));
    buffer_done(&content);
    return is_same;
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
    struct identity identity;
    if (error != PAWL_OK || parse(kept, &identity) != PAWL_OK || !is_checked(kept, &identity))
        return diag_fail(diag, PAWL_E_CORRUPT,
                         "%s in the data directory is damaged; restore it from a copy, or rebuild "
                         "this node from its peers",
                         file_name);
    *identity_out = identity;
    return PAWL_OK;
}

/* ---- writing ---- */

static void write_text(const struct identity *identity, struct buffer *text_out)
{
    struct buffer content = {0}, value = {0};
    char check[CHECK_TEXT_BYTES];
    put_content(&content, identity);
    check_of(buffer_bytes(&content), check);
    pack_map(&value, 5);
    put(&value, "check", bytes_string(check));
    buffer_append(&value, content.data, content.size);
    json_write(buffer_bytes(&value), JSON_INDENTED, text_out);
    buffer_append(text_out, "\n", 1);
    text_out->is_failed |= content.is_failed || value.is_failed;
    buffer_done(&content);
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

static bool is_member_sound(const struct identity *identity, size_t at)
{
    const struct msg_member *member = &identity->members[at];
    for (size_t i = 0; i < at; i++)
        if (identity->members[i].node == member->node)
            return false;
    return member->node > 0 && member->node <= INT64_MAX && member->peer_address.size > 0;
}

bool identity_is_sound(const struct identity *identity)
{
    bool is_member = false;
    if (id128_is_none(identity->cluster) || identity->member_count > MEMBERS_MAX)
        return false;
    for (size_t i = 0; i < identity->member_count; i++) {
        if (!is_member_sound(identity, i))
            return false;
        is_member = is_member || identity->members[i].node == identity->node;
    }
    return is_member;
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
