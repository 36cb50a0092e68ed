#include "proto/client_messages.h"

#include "proto/codec_loops.h"
#include "proto/limits.h"

static const struct field fence_fields[] = {
    FIELD(struct msg_fence, partition, 1, FIELD_U32, .meaning = "partition of the run"),
    FIELD(struct msg_fence, term, 2, FIELD_U64, .meaning = "term of the deciding leader"),
    FIELD(struct msg_fence, index, 3, FIELD_U64, .meaning = "log index of the hand-out"),
    FIELD(struct msg_fence, ordinal, 4, FIELD_U32, .meaning = "of the hand-out in its entry"),
};
SCHEMA_LOOPS(fence)
const struct schema schema_fence = SCHEMA_LOOPED("fence", struct msg_fence, fence);

static const struct field hello_fields[] = {
    FIELD(struct msg_hello, version_min, 1, FIELD_U32, .is_required = true,
          .meaning = "oldest protocol version spoken"),
    FIELD(struct msg_hello, version_max, 2, FIELD_U32, .is_required = true,
          .meaning = "newest protocol version spoken"),
    FIELD(struct msg_hello, cluster, 3, FIELD_ID, .meaning = "expected cluster; absent: any"),
    FIELD(struct msg_hello, session, 4, FIELD_ID, .is_required = true,
          .meaning = "one life of one client handle"),
    FIELD(struct msg_hello, name, 5, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "of the program, for people"),
};
const struct schema schema_hello = SCHEMA("hello", struct msg_hello, hello_fields);

static const struct field member_fields[] = {
    FIELD(struct msg_member, node, 1, FIELD_U64, .is_required = true, .meaning = "node id"),
    FIELD(struct msg_member, name, 2, FIELD_STRING, .max = NAME_BYTES_MAX, .meaning = "node name"),
    FIELD(struct msg_member, peer_address, 3, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "host:port for nodes"),
    FIELD(struct msg_member, client_address, 4, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "host:port for clients"),
};
const struct schema schema_member = SCHEMA("member", struct msg_member, member_fields);

static const struct field welcome_fields[] = {
    FIELD(struct msg_welcome, version, 1, FIELD_U32, .meaning = "protocol version chosen"),
    FIELD(struct msg_welcome, cluster, 2, FIELD_ID, .meaning = "absent: not bootstrapped"),
    FIELD(struct msg_welcome, node, 3, FIELD_U64, .meaning = "node id; 0: not bootstrapped"),
    FIELD(struct msg_welcome, name, 4, FIELD_STRING, .max = NAME_BYTES_MAX, .meaning = "node name"),
    FIELD(struct msg_welcome, heartbeat_ms, 5, FIELD_U32,
          .meaning = "send a heartbeat this often while attached"),
    FIELD(struct msg_welcome, backoff_ms_max, 6, FIELD_U32,
          .meaning = "longest pause between two dials"),
    FIELD(struct msg_welcome, members, 7, FIELD_MESSAGE, .is_list = true, .max = MEMBERS_MAX,
          .schema = &schema_member, .meaning = "all nodes of the cluster"),
    FIELD(struct msg_welcome, error, 8, FIELD_U32, .meaning = "the connection is refused"),
    FIELD(struct msg_welcome, detail, 9, FIELD_STRING, .meaning = "why, for people"),
};
const struct schema schema_welcome = SCHEMA("welcome", struct msg_welcome, welcome_fields);

static const struct field leader_fields[] = {
    FIELD(struct msg_leader, partition, 1, FIELD_U32, .meaning = "which partition"),
    FIELD(struct msg_leader, term, 2, FIELD_U64, .meaning = "the higher term wins"),
    FIELD(struct msg_leader, node, 3, FIELD_U64, .meaning = "0: nobody known"),
    FIELD(struct msg_leader, client_address, 4, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "host:port"),
};
const struct schema schema_leader = SCHEMA("leader", struct msg_leader, leader_fields);

static const struct field attach_fields[] = {
    FIELD(struct msg_attach, partition, 1, FIELD_U32, .meaning = "which partition"),
    FIELD(struct msg_attach, term, 2, FIELD_U64, .is_required = true,
          .meaning = "the leader's term"),
    FIELD(struct msg_attach, attachment, 3, FIELD_U64, .is_required = true,
          .meaning = "rises with every attach of the session"),
    FIELD(struct msg_attach, session, 4, FIELD_ID, .is_required = true,
          .meaning = "one life of one client handle"),
    FIELD(struct msg_attach, credit, 5, FIELD_U32, .meaning = "steps it takes at once"),
    FIELD(struct msg_attach, types, 6, FIELD_STRING, .is_list = true, .max = SESSION_TYPES_MAX,
          .meaning = "step types it serves"),
    FIELD(struct msg_attach, held, 7, FIELD_MESSAGE, .is_list = true, .max = SESSION_CREDIT_MAX,
          .schema = &schema_fence, .meaning = "received, report not yet acknowledged"),
};
const struct schema schema_attach = SCHEMA("attach", struct msg_attach, attach_fields);

static const struct field attached_fields[] = {
    FIELD(struct msg_attached, partition, 1, FIELD_U32, .meaning = "which partition"),
    FIELD(struct msg_attached, term, 2, FIELD_U64, .meaning = "the leader's term"),
    FIELD(struct msg_attached, attachment, 3, FIELD_U64, .meaning = "of the attach it answers"),
    FIELD(struct msg_attached, error, 4, FIELD_U32, .meaning = "0: attached"),
};
const struct schema schema_attached = SCHEMA("attached", struct msg_attached, attached_fields);

static const struct field request_fields[] = {
    FIELD(struct msg_request, correlation, 1, FIELD_U64, .is_required = true,
          .meaning = "the response echoes it"),
    FIELD(struct msg_request, partition, 2, FIELD_U32, .meaning = "which partition"),
    FIELD(struct msg_request, term, 3, FIELD_U64, .meaning = "of the attachment"),
    FIELD(struct msg_request, attachment, 4, FIELD_U64, .meaning = "0: none"),
    FIELD(struct msg_request, request, 5, FIELD_ID, .meaning = "kept over retries"),
    FIELD(struct msg_request, kind, 6, FIELD_U8, .is_required = true, .meaning = "which request"),
    FIELD(struct msg_request, body, 7, FIELD_BINARY, .meaning = "the message of that kind"),
};
SCHEMA_LOOPS(request)
const struct schema schema_request = SCHEMA_LOOPED("request", struct msg_request, request);

static const struct field response_fields[] = {
    FIELD(struct msg_response, correlation, 1, FIELD_U64, .is_required = true,
          .meaning = "of the request"),
    FIELD(struct msg_response, error, 2, FIELD_U32, .meaning = "0: success"),
    FIELD(struct msg_response, detail, 3, FIELD_STRING, .meaning = "for people"),
    FIELD(struct msg_response, answer, 4, FIELD_VALUE, .meaning = "a map"),
    FIELD(struct msg_response, index, 5, FIELD_U64,
          .meaning = "the answer is as of this log index"),
};
SCHEMA_LOOPS(response)
const struct schema schema_response = SCHEMA_LOOPED("response", struct msg_response, response);

static const struct field start_fields[] = {
    FIELD(struct msg_start, namespace_name, 1, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "empty: default"),
    FIELD(struct msg_start, definition, 2, FIELD_STRING, .is_required = true, .max = NAME_BYTES_MAX,
          .meaning = "name of the definition"),
    FIELD(struct msg_start, version, 3, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "empty: the newest"),
    FIELD(struct msg_start, workflow_id, 4, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "empty: the request id"),
    FIELD(struct msg_start, input, 5, FIELD_VALUE, .max = VALUE_BYTES_MAX,
          .meaning = "empty: null"),
    FIELD(struct msg_start, on_conflict, 6, FIELD_U8,
          .meaning = "when the workflow id runs: 0 fail, 1 use existing, 2 terminate it"),
    FIELD(struct msg_start, on_reuse, 7, FIELD_U8,
          .meaning = "when the workflow id has ended: 0 allow, 1 if failed, 2 reject"),
};
SCHEMA_LOOPS(start)
const struct schema schema_start = SCHEMA_LOOPED("start", struct msg_start, start);

static const struct field fault_fields[] = {
    FIELD(struct msg_fault, type, 1, FIELD_STRING, .max = 512,
          .meaning = "URI, or last segment of a standard one"),
    FIELD(struct msg_fault, status, 2, FIELD_U32, .meaning = "0: the type's own"),
    FIELD(struct msg_fault, title, 3, FIELD_STRING, .max = 1024, .meaning = "short"),
    FIELD(struct msg_fault, detail, 4, FIELD_STRING, .max = FAULT_TEXT_BYTES_MAX,
          .meaning = "long"),
    FIELD(struct msg_fault, is_final, 5, FIELD_BOOL,
          .meaning = "no retry, whatever the policy says"),
    FIELD(struct msg_fault, retry_after_ms, 6, FIELD_U64,
          .meaning = "least delay before the next attempt"),
};
const struct schema schema_fault = SCHEMA("fault", struct msg_fault, fault_fields);

static const struct field report_fields[] = {
    FIELD(struct msg_report, run, 1, FIELD_ID, .is_required = true, .meaning = "the run"),
    FIELD(struct msg_report, step, 2, FIELD_U32, .is_required = true,
          .meaning = "step number in the run"),
    FIELD(struct msg_report, fence, 3, FIELD_MESSAGE, .is_required = true, .schema = &schema_fence,
          .meaning = "of the hand-out"),
    FIELD(struct msg_report, outcome, 4, FIELD_U8, .is_required = true,
          .meaning = "1 completed, 2 failed"),
    FIELD(struct msg_report, output, 5, FIELD_VALUE, .max = VALUE_BYTES_MAX,
          .meaning = "of a completed step"),
    FIELD(struct msg_report, fault, 6, FIELD_MESSAGE, .schema = &schema_fault,
          .meaning = "of a failed step"),
};
SCHEMA_LOOPS(report)
const struct schema schema_report = SCHEMA_LOOPED("report", struct msg_report, report);

static const struct field deploy_fields[] = {
    FIELD(struct msg_deploy, source, 1, FIELD_STRING, .is_required = true,
          .max = DEFINITION_BYTES_MAX, .meaning = "YAML or JSON"),
};
const struct schema schema_deploy = SCHEMA("deploy", struct msg_deploy, deploy_fields);

static const struct field target_fields[] = {
    FIELD(struct msg_target, namespace_name, 1, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "empty: default"),
    FIELD(struct msg_target, workflow_id, 2, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "its newest run"),
    FIELD(struct msg_target, run, 3, FIELD_ID, .meaning = "or exactly this run"),
};
SCHEMA_LOOPS(target)
const struct schema schema_target = SCHEMA_LOOPED("target", struct msg_target, target);

static const struct field list_fields[] = {
    FIELD(struct msg_list, namespace_name, 1, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "empty: all"),
    FIELD(struct msg_list, definition, 2, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "empty: all"),
    FIELD(struct msg_list, status, 3, FIELD_STRING, .max = NAME_BYTES_MAX, .meaning = "empty: all"),
    FIELD(struct msg_list, limit, 4, FIELD_U32, .meaning = "0: 50; at most 1000"),
    FIELD(struct msg_list, after, 5, FIELD_BINARY, .max = 512,
          .meaning = "next of the page before"),
};
const struct schema schema_list = SCHEMA("list", struct msg_list, list_fields);

static const struct field definition_fields[] = {
    FIELD(struct msg_definition, namespace_name, 1, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "empty: default"),
    FIELD(struct msg_definition, name, 2, FIELD_STRING, .is_required = true, .max = NAME_BYTES_MAX,
          .meaning = "of the definition"),
    FIELD(struct msg_definition, version, 3, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "empty: the newest"),
};
const struct schema schema_definition =
    SCHEMA("definition", struct msg_definition, definition_fields);

static const struct field init_fields[] = {
    FIELD(struct msg_init, peers, 1, FIELD_STRING, .is_list = true, .max = MEMBERS_MAX,
          .meaning = "peer addresses of all nodes"),
};
const struct schema schema_init = SCHEMA("init", struct msg_init, init_fields);

static const struct field handout_fields[] = {
    FIELD(struct msg_handout, fence, 1, FIELD_MESSAGE, .is_required = true, .schema = &schema_fence,
          .meaning = "of this hand-out"),
    FIELD(struct msg_handout, run, 2, FIELD_ID, .is_required = true, .meaning = "the run"),
    FIELD(struct msg_handout, step, 3, FIELD_U32, .is_required = true,
          .meaning = "step number in the run"),
    FIELD(struct msg_handout, attempt, 4, FIELD_U32, .meaning = "from 1"),
    FIELD(struct msg_handout, type, 5, FIELD_STRING, .is_required = true, .max = NAME_BYTES_MAX,
          .meaning = "step type"),
    FIELD(struct msg_handout, namespace_name, 6, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "of the run"),
    FIELD(struct msg_handout, workflow_id, 7, FIELD_STRING, .max = NAME_BYTES_MAX,
          .meaning = "of the run"),
    FIELD(struct msg_handout, idempotency_key, 8, FIELD_STRING, .max = 256,
          .meaning = "the same over all attempts"),
    FIELD(struct msg_handout, input, 9, FIELD_VALUE, .max = VALUE_BYTES_MAX,
          .meaning = "arguments"),
    FIELD(struct msg_handout, deadline_ms, 10, FIELD_U64, .meaning = "cluster clock; 0: none"),
    FIELD(struct msg_handout, is_at_most_once, 11, FIELD_BOOL, .meaning = "never handed out again"),
};
SCHEMA_LOOPS(handout)
const struct schema schema_handout = SCHEMA_LOOPED("handout", struct msg_handout, handout);

static const struct field handouts_fields[] = {
    FIELD(struct msg_handouts, partition, 1, FIELD_U32, .meaning = "which partition"),
    FIELD(struct msg_handouts, term, 2, FIELD_U64, .is_required = true,
          .meaning = "of the attachment"),
    FIELD(struct msg_handouts, attachment, 3, FIELD_U64, .is_required = true,
          .meaning = "taken only under the newest"),
    FIELD(struct msg_handouts, handouts, 4, FIELD_MESSAGE, .is_list = true,
          .max = SESSION_CREDIT_MAX, .schema = &schema_handout, .meaning = "steps to run"),
};
SCHEMA_LOOPS(handouts)
const struct schema schema_handouts = SCHEMA_LOOPED("handouts", struct msg_handouts, handouts);

static const struct field heartbeat_fields[] = {
    FIELD(struct msg_heartbeat, partition, 1, FIELD_U32, .meaning = "which partition"),
    FIELD(struct msg_heartbeat, term, 2, FIELD_U64, .is_required = true,
          .meaning = "of the attachment"),
    FIELD(struct msg_heartbeat, attachment, 3, FIELD_U64, .is_required = true,
          .meaning = "the newest"),
};
const struct schema schema_heartbeat = SCHEMA("heartbeat", struct msg_heartbeat, heartbeat_fields);

static const struct field goodbye_fields[] = {
    FIELD(struct msg_goodbye, session, 1, FIELD_ID, .is_required = true,
          .meaning = "gone for good"),
};
const struct schema schema_goodbye = SCHEMA("goodbye", struct msg_goodbye, goodbye_fields);

const struct schema *const client_schemas[] = {
    &schema_fence,    &schema_hello,
    &schema_member,   &schema_welcome,
    &schema_leader,   &schema_attach,
    &schema_attached, &schema_request,
    &schema_response, &schema_start,
    &schema_fault,    &schema_report,
    &schema_deploy,   &schema_target,
    &schema_list,     &schema_definition,
    &schema_init,     &schema_handout,
    &schema_handouts, &schema_heartbeat,
    &schema_goodbye,  NULL,
};
