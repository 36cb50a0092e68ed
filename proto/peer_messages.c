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

static const struct field raft_entry_fields[] = {
    FIELD(struct msg_raft_entry, term, 1, FIELD_U64, .is_required = true,
          .meaning = "of the entry"),
    FIELD(struct msg_raft_entry, kind, 2, FIELD_U8, .is_required = true,
          .meaning = "no-op, command or configuration"),
    FIELD(struct msg_raft_entry, payload, 3, FIELD_BINARY, .meaning = "opaque to consensus"),
};
const struct schema schema_raft_entry =
    SCHEMA("raft-entry", struct msg_raft_entry, raft_entry_fields);

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
    FIELD(struct msg_raft, entries, 14, FIELD_MESSAGE, .is_list = true, .max = APPEND_ENTRIES_MAX,
          .schema = &schema_raft_entry, .meaning = "entries"),
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
    &schema_peer_hello, &schema_raft_entry, &schema_raft,   &schema_probe,
    &schema_probed,     &schema_form,       &schema_formed, NULL,
};

/* An entry is an array [version, clock, table, key, value or nil, table, key, value or nil, ...].
 */
enum { ENTRY_VERSION = 1, ENTRY_HEAD = 2, ENTRY_WRITE = 3 };

void entry_encode(const struct entry *entry, struct buffer *out)
{
    pack_array(out, (uint32_t)(ENTRY_HEAD + ENTRY_WRITE * entry->write_count));
    pack_unsigned(out, ENTRY_VERSION);
    pack_unsigned(out, entry->clock_us);
    for (size_t i = 0; i < entry->write_count; i++) {
        const struct row_write *write = &entry->writes[i];
        pack_unsigned(out, write->table);
        pack_binary(out, write->key);
        if (write->is_deleted)
            pack_null(out);
        else
            pack_binary(out, write->value);
    }
}

static enum pawl_error next_unsigned(struct value_cursor *cursor, uint64_t max, uint64_t *out)
{
    struct value_head head;
    TRY(value_next(cursor, &head));
    if (head.kind == VALUE_INTEGER && head.integer >= 0)
        *out = (uint64_t)head.integer;
    else if (head.kind == VALUE_UNSIGNED)
        *out = head.unsigned_integer;
    else
        return PAWL_E_INVALID;
    return *out <= max ? PAWL_OK : PAWL_E_INVALID;
}

static enum pawl_error write_decode(struct value_cursor *cursor, struct row_write *write_out)
{
    uint64_t table;
    struct value_head key, value;
    TRY(next_unsigned(cursor, TABLE_COUNT - 1, &table));
    TRY(value_next(cursor, &key));
    TRY(value_next(cursor, &value));
    if (key.kind != VALUE_BINARY || key.bytes.size == 0 || key.bytes.size > ROW_KEY_BYTES_MAX)
        return PAWL_E_INVALID;
    if (value.kind != VALUE_BINARY && value.kind != VALUE_NULL)
        return PAWL_E_INVALID;
    *write_out = (struct row_write){
        .table = (uint8_t)table, .is_deleted = value.kind == VALUE_NULL, .key = key.bytes};
    if (value.kind == VALUE_BINARY)
        write_out->value = value.bytes;
    return PAWL_OK;
}

enum pawl_error entry_decode(struct bytes payload, struct arena *arena, struct entry *entry_out)
{
    struct value_cursor cursor = value_cursor_of(payload);
    struct value_head head;
    struct entry entry = {0};
    uint64_t version;
    TRY(value_next(&cursor, &head));
    if (head.kind != VALUE_ARRAY || head.count < ENTRY_HEAD ||
        (head.count - ENTRY_HEAD) % ENTRY_WRITE != 0)
        return PAWL_E_INVALID;
    entry.write_count = (head.count - ENTRY_HEAD) / ENTRY_WRITE;
    if (entry.write_count > DECISION_WRITES_MAX)
        return PAWL_E_LIMIT;
    TRY(next_unsigned(&cursor, ENTRY_VERSION, &version));
    if (version != ENTRY_VERSION)
        return PAWL_E_INVALID;
    TRY(next_unsigned(&cursor, UINT64_MAX, &entry.clock_us));
    entry.writes = arena_array(arena, entry.write_count, sizeof *entry.writes);
    if (entry.writes == NULL && entry.write_count > 0)
        return PAWL_E_NO_MEMORY;
    for (size_t i = 0; i < entry.write_count; i++)
        TRY(write_decode(&cursor, &entry.writes[i]));
    if (cursor.at != cursor.end)
        return PAWL_E_INVALID;
    *entry_out = entry;
    return PAWL_OK;
}
