#include "proto/peer_messages.h"

#include "proto/client_messages.h"
#include "proto/limits.h"

static const struct field peer_hello_fields[] = {
    FIELD(struct msg_peer_hello, version_min, 1, FIELD_U32, .is_required = true,
          .meaning = "oldest protocol version spoken"),
    FIELD(struct msg_peer_hello, version_max, 2, FIELD_U32, .is_required = true,
          .meaning = "newest protocol version spoken"),
    FIELD(struct msg_peer_hello, cluster, 3, FIELD_ID, .meaning = "absent: not bootstrapped"),
    FIELD(struct msg_peer_hello, from, 4, FIELD_U64, .meaning = "node id of the sender"),
    FIELD(struct msg_peer_hello, to, 5, FIELD_U64, .meaning = "node id it means to reach"),
    FIELD(struct msg_peer_hello, name, 6, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "node name"),
};
const struct schema schema_peer_hello =
    SCHEMA("peer-hello", struct msg_peer_hello, peer_hello_fields);

static const struct field raft_fields[] = {
    FIELD(struct msg_raft, partition, 1, FIELD_U32, .meaning = "which partition"),
    FIELD(struct msg_raft, from, 2, FIELD_U64, .is_required = true,
          .meaning = "node id of the sender"),
    FIELD(struct msg_raft, to, 3, FIELD_U64, .is_required = true,
          .meaning = "node id of the receiver"),
    FIELD(struct msg_raft, kind, 4, FIELD_U8, .is_required = true,
          .meaning = "vote, append or a reply"),
    FIELD(struct msg_raft, term, 5, FIELD_U64, .meaning = "of the sender"),
    FIELD(struct msg_raft, previous_index, 6, FIELD_U64,
          .meaning = "entry before the first one sent"),
    FIELD(struct msg_raft, previous_term, 7, FIELD_U64, .meaning = "its term"),
    FIELD(struct msg_raft, commit_index, 8, FIELD_U64, .meaning = "of the leader"),
    FIELD(struct msg_raft, round, 9, FIELD_U64, .meaning = "read round, echoed"),
    FIELD(struct msg_raft, is_rejected, 10, FIELD_BOOL, .meaning = "in replies"),
    FIELD(struct msg_raft, match_index, 11, FIELD_U64,
          .meaning = "durable on the follower up to here"),
    FIELD(struct msg_raft, hint_index, 12, FIELD_U64, .meaning = "retry from here at most"),
    FIELD(struct msg_raft, hint_term, 13, FIELD_U64, .meaning = "the follower's term there"),
    FIELD(struct msg_raft, clock_us, 15, FIELD_U64, .meaning = "cluster clock"),
    FIELD(struct msg_raft, wall_us, 16, FIELD_U64, .meaning = "wall clock of the sender"),
    FIELD(struct msg_raft, free_bytes, 17, FIELD_U64, .meaning = "free on the sender's disk"),
    FIELD(struct msg_raft, cut_index, 18, FIELD_U64,
          .meaning = "every member's store has everything up to here"),
    FIELD(struct msg_raft, is_withheld, 19, FIELD_BOOL,
          .meaning = "the sender's vote is withheld: it acknowledges nothing"),
    FIELD(struct msg_raft, flushed_index, 20, FIELD_U64,
          .meaning = "the sender's store has everything up to here"),
};
const struct schema schema_raft = SCHEMA("raft", struct msg_raft, raft_fields);

static const struct field probe_fields[] = {
    FIELD(struct msg_probe, peers, 1, FIELD_STRING, .is_list = true, .max = MEMBERS_MAX,
          .meaning = "peer addresses to reach"),
    FIELD(struct msg_probe, is_relayed, 2, FIELD_BOOL, .meaning = "answer for yourself only"),
};
const struct schema schema_probe = SCHEMA("probe", struct msg_probe, probe_fields);

static const struct field probed_fields[] = {
    FIELD(struct msg_probed, error, 1, FIELD_U32, .meaning = "0: all reached"),
    FIELD(struct msg_probed, detail, 2, FIELD_STRING, .meaning = "who was not reached and why"),
    FIELD(struct msg_probed, name, 3, FIELD_STRING, .max = NAME_BYTES_MAX, .meaning = "node name"),
    FIELD(struct msg_probed, client_address, 4, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "host:port for clients"),
    FIELD(struct msg_probed, cluster, 5, FIELD_ID, .meaning = "the one it already belongs to"),
};
const struct schema schema_probed = SCHEMA("probed", struct msg_probed, probed_fields);

static const struct field form_fields[] = {
    FIELD(struct msg_form, cluster, 1, FIELD_ID, .is_required = true, .meaning = "the new cluster"),
    FIELD(struct msg_form, node, 2, FIELD_U64, .is_required = true,
          .meaning = "the receiver's node id"),
    FIELD(struct msg_form, members, 3, FIELD_MESSAGE, .is_list = true, .max = MEMBERS_MAX,
          .schema = &schema_member, .meaning = "all nodes"),
};
const struct schema schema_form = SCHEMA("form", struct msg_form, form_fields);

static const struct field formed_fields[] = {
    FIELD(struct msg_formed, error, 1, FIELD_U32, .meaning = "0: written down"),
    FIELD(struct msg_formed, detail, 2, FIELD_STRING, .meaning = "why not"),
};
const struct schema schema_formed = SCHEMA("formed", struct msg_formed, formed_fields);

const struct schema *const peer_schemas[] = {
    &schema_peer_hello, &schema_raft,   &schema_probe, &schema_probed,
    &schema_form,       &schema_formed, NULL,
};

/* What comes before an entry's payload, integers little-endian: term (8), kind (1), size of the
 * payload (4). */
enum { RAFT_SIZE_BYTES = 4, RAFT_ENTRY_HEAD_BYTES = 13 };

static void raft_entry_head_put(const struct msg_raft_entry *entry, uint8_t *out)
{
    le64_put(out, entry->term);
    out[8] = entry->kind;
    le32_put(out + 9, (uint32_t)entry->payload.size);
}

enum pawl_error raft_message_encode(const struct msg_raft *message, struct arena *arena,
                                    struct buffer *fields, struct bytes **parts_out,
                                    size_t *part_count_out)
{
    const size_t count = message->entries.count;
    const struct msg_raft_entry *entries = message->entries.elements;
    struct bytes *parts = arena_array(arena, 1 + 2 * count, sizeof *parts);
    uint8_t *heads = arena_room(arena, count * RAFT_ENTRY_HEAD_BYTES);
    buffer_reset(fields);
    (void)buffer_extend(fields, RAFT_SIZE_BYTES);
    if (parts == NULL || (heads == NULL && count > 0) || fields->is_failed)
        return PAWL_E_NO_MEMORY;
    codec_encode(&schema_raft, message, fields);
    if (fields->is_failed)
        return PAWL_E_INVALID;
    le32_put(fields->data, (uint32_t)(fields->size - RAFT_SIZE_BYTES));
    parts[0] = buffer_bytes(fields);
    for (size_t i = 0; i < count; i++, heads += RAFT_ENTRY_HEAD_BYTES) {
        raft_entry_head_put(&entries[i], heads);
        parts[1 + 2 * i] = bytes_of(heads, RAFT_ENTRY_HEAD_BYTES);
        parts[2 + 2 * i] = entries[i].payload;
    }
    *parts_out = parts;
    *part_count_out = 1 + 2 * count;
    return PAWL_OK;
}

/* The entry at *rest, which moves behind it. */
static enum pawl_error raft_entry_take(struct bytes *rest, struct msg_raft_entry *entry_out)
{
    const uint8_t *at = rest->data;
    if (rest->size < RAFT_ENTRY_HEAD_BYTES || rest->size - RAFT_ENTRY_HEAD_BYTES < le32_get(at + 9))
        return PAWL_E_INVALID;
    *entry_out = (struct msg_raft_entry){
        .term = le64_get(at),
        .kind = at[8],
        .payload = bytes_of(at + RAFT_ENTRY_HEAD_BYTES, le32_get(at + 9)),
    };
    const size_t bytes = RAFT_ENTRY_HEAD_BYTES + entry_out->payload.size;
    *rest = bytes_of(at + bytes, rest->size - bytes);
    return PAWL_OK;
}

static enum pawl_error raft_entries_decode(struct bytes bytes, struct arena *arena,
                                           struct list *entries_out)
{
    struct msg_raft_entry entry;
    size_t count = 0;
    for (struct bytes rest = bytes; rest.size > 0; count++) {
        if (count == APPEND_ENTRIES_MAX)
            return PAWL_E_LIMIT;
        TRY(raft_entry_take(&rest, &entry));
    }
    struct msg_raft_entry *entries = arena_array(arena, count, sizeof *entries);
    if (entries == NULL && count > 0)
        return PAWL_E_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        TRY(raft_entry_take(&bytes, &entries[i]));
    *entries_out = (struct list){.elements = entries, .count = count};
    return PAWL_OK;
}

enum pawl_error raft_message_decode(struct bytes frame, struct arena *arena,
                                    struct msg_raft *message_out)
{
    struct msg_raft message;
    if (frame.size < RAFT_SIZE_BYTES || frame.size - RAFT_SIZE_BYTES < le32_get(frame.data))
        return PAWL_E_INVALID;
    const struct bytes fields = bytes_of(frame.data + RAFT_SIZE_BYTES, le32_get(frame.data));
    const size_t before = RAFT_SIZE_BYTES + fields.size;
    TRY(codec_decode(&schema_raft, fields, arena, &message, NULL));
    TRY(raft_entries_decode(bytes_of(frame.data + before, frame.size - before), arena,
                            &message.entries));
    *message_out = message;
    return PAWL_OK;
}

/* An entry is bytes of a fixed layout, integers little-endian: version (1), clock (8), number of
 * writes (4), then for each write table (1), flags (1), key size (2), value size (4), key, value.
 */
enum { ENTRY_VERSION = 1, ENTRY_HEAD_BYTES = 13, WRITE_HEAD_BYTES = 8 };
enum { WRITE_IS_DELETED = 1, WRITE_IS_NEW = 2, WRITE_FLAGS = 3 };

static uint8_t write_flags(const struct row_write *write)
{
    return (uint8_t)((write->is_deleted ? WRITE_IS_DELETED : 0) |
                     (write->is_new ? WRITE_IS_NEW : 0));
}

static struct bytes write_value(const struct row_write *write)
{
    return write->is_deleted ? bytes_of(NULL, 0) : write->value;
}

size_t entry_bytes(const struct entry *entry)
{
    size_t bytes = ENTRY_HEAD_BYTES + WRITE_HEAD_BYTES * entry->write_count;
    for (size_t i = 0; i < entry->write_count; i++)
        bytes += entry->writes[i].key.size + write_value(&entry->writes[i]).size;
    return bytes;
}

static uint8_t *bytes_put(uint8_t *out, struct bytes bytes)
{
    if (bytes.size > 0)
        memcpy(out, bytes.data, bytes.size);
    return out + bytes.size;
}

static uint8_t *write_put(uint8_t *out, const struct row_write *write)
{
    const struct bytes value = write_value(write);
    out[0] = write->table;
    out[1] = write_flags(write);
    le16_put(out + 2, (uint16_t)write->key.size);
    le32_put(out + 4, (uint32_t)value.size);
    return bytes_put(bytes_put(out + WRITE_HEAD_BYTES, write->key), value);
}

void entry_put(const struct entry *entry, uint8_t *out)
{
    out[0] = ENTRY_VERSION;
    le64_put(out + 1, entry->clock_us);
    le32_put(out + 9, (uint32_t)entry->write_count);
    out += ENTRY_HEAD_BYTES;
    for (size_t i = 0; i < entry->write_count; i++)
        out = write_put(out, &entry->writes[i]);
}

void entry_encode(const struct entry *entry, struct buffer *out)
{
    uint8_t *at = buffer_extend(out, entry_bytes(entry));
    if (at != NULL)
        entry_put(entry, at);
}

enum pawl_error entry_clock(struct bytes payload, uint64_t *clock_us_out)
{
    if (payload.size < ENTRY_HEAD_BYTES || payload.data[0] != ENTRY_VERSION)
        return PAWL_E_INVALID;
    *clock_us_out = le64_get(payload.data + 1);
    return PAWL_OK;
}

/* The write at *payload, which moves behind it. */
static enum pawl_error write_take(struct bytes *payload, struct row_write *write_out)
{
    const uint8_t *at = payload->data;
    if (payload->size < WRITE_HEAD_BYTES)
        return PAWL_E_INVALID;
    const uint8_t table = at[0], flags = at[1];
    const size_t key_size = le16_get(at + 2), value_size = le32_get(at + 4);
    const bool is_deleted = (flags & WRITE_IS_DELETED) != 0;
    if (table >= TABLE_COUNT || flags > WRITE_FLAGS || key_size == 0 ||
        key_size > ROW_KEY_BYTES_MAX || (is_deleted && value_size > 0) ||
        payload->size - WRITE_HEAD_BYTES < key_size ||
        payload->size - WRITE_HEAD_BYTES - key_size < value_size)
        return PAWL_E_INVALID;
    *write_out = (struct row_write){.table = table,
                                    .is_deleted = is_deleted,
                                    .is_new = (flags & WRITE_IS_NEW) != 0,
                                    .key = bytes_of(at + WRITE_HEAD_BYTES, key_size)};
    if (!is_deleted)
        write_out->value = bytes_of(at + WRITE_HEAD_BYTES + key_size, value_size);
    const size_t bytes = WRITE_HEAD_BYTES + key_size + value_size;
    *payload = bytes_of(at + bytes, payload->size - bytes);
    return PAWL_OK;
}

enum pawl_error entry_decode(struct bytes payload, struct arena *arena, struct entry *entry_out)
{
    struct entry entry = {0};
    TRY(entry_clock(payload, &entry.clock_us));
    entry.write_count = le32_get(payload.data + 9);
    struct bytes rest = bytes_of(payload.data + ENTRY_HEAD_BYTES, payload.size - ENTRY_HEAD_BYTES);
    if (entry.write_count > rest.size / WRITE_HEAD_BYTES)
        return PAWL_E_INVALID;
    if (entry.write_count > DECISION_WRITES_MAX)
        return PAWL_E_LIMIT;
    entry.writes = arena_array(arena, entry.write_count, sizeof *entry.writes);
    if (entry.writes == NULL && entry.write_count > 0)
        return PAWL_E_NO_MEMORY;
    for (size_t i = 0; i < entry.write_count; i++)
        TRY(write_take(&rest, &entry.writes[i]));
    if (rest.size > 0)
        return PAWL_E_INVALID;
    *entry_out = entry;
    return PAWL_OK;
}
