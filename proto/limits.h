/* Every limit has its name here. Passing one is an error with a name, never a crash. */
#ifndef PAWL_PROTO_LIMITS_H
#define PAWL_PROTO_LIMITS_H

#define BUFFER_BYTES_MAX      ((size_t)64 << 20)
#define ARENA_BYTES_MAX       ((size_t)64 << 20)
#define ARENA_CHUNK_BYTES_MAX ((size_t)1 << 20)
#define ARENA_KEPT_BYTES_MAX  ((size_t)1 << 20) /* the largest chunk that a reset keeps */

/* Values, texts and messages */
#define VALUE_BYTES_MAX      ((size_t)1 << 20) /* one payload: input, output, context */
#define VALUE_DEPTH_MAX      64
#define VALUE_STACK_MAX      256 /* the deepest value any reader takes, whatever limit it is given */
#define VALUE_NODES_MAX      65536             /* scalars, arrays and maps in one payload */
#define FAULT_TEXT_BYTES_MAX 8192              /* one text of an error */
#define TEXT_BYTES_MAX       ((size_t)1 << 20) /* one JSON or YAML document */
#define NAME_BYTES_MAX       128               /* workflow ids, step types, node names */
#define FRAME_BYTES_MAX      ((size_t)8 << 20) /* one frame, its header included */
#define MESSAGE_DEPTH_MAX    16
#define APPEND_ENTRIES_MAX   4096 /* log entries in one message between nodes */

/* Definitions */
#define DEFINITION_BYTES_MAX         ((size_t)256 << 10)
#define DEFINITION_COMPILED_MAX      ((size_t)24 << 20) /* bytes of memory that one takes */
#define DEFINITION_TASKS_MAX         1024
#define FUNCTION_ARGUMENTS_MAX       256 /* of a function under use.functions, for each of its calls */
#define TASK_DEPTH_MAX               32
#define DEFINITIONS_CACHED_MAX       256                /* compiled ones that an engine keeps */
#define DEFINITIONS_CACHED_BYTES_MAX ((size_t)64 << 20) /* of them together, the newest aside */
#define UNDOS_PENDING_MAX            1024               /* compensations that one run keeps ready */

/* Expressions: counts, so that they mean the same on every machine */
#define EXPRESSION_BYTES_MAX  ((size_t)16 << 10)
#define EXPRESSION_FUEL       60000 /* units of work; one is at most about 50 ns */
#define EXPRESSION_ARENA_MAX  ((size_t)8 << 20)
#define EXPRESSION_DEPTH_MAX  256
#define EXPRESSION_OUTPUT_MAX VALUE_BYTES_MAX

/* Engine */
#define DECIDE_FUEL         100000 /* a decide that has spent this stops at the next task boundary */
#define MOVE_FUEL           240000 /* of all expressions with which a task begins, or ends */
#define INSTANCE_BYTES_MAX  ((size_t)8 << 20)
#define DECISION_WRITES_MAX 4096
#define DECISION_BYTES_MAX  ((size_t)4 << 20)
#define ENTRY_BYTES_MAX                                                                            \
    (FRAME_BYTES_MAX - ((size_t)64 << 10)) /* of one decision: a frame takes it */
#define HANDOUTS_MAX          128          /* steps handed out by one decision */
#define STEP_LEASE_LOSSES_MAX 10           /* a step whose lease is lost this often fails */
#define COMPENSATION_ATTEMPTS 10           /* of one undo, when its definition names no retry */
#define REQUEST_HORIZON_MS    ((uint64_t)24 * 3600 * 1000)

/* Sessions and connections */
#define SESSION_TYPES_MAX        64
#define TYPES_SERVED_MAX         4096 /* distinct step types of all sessions that a leader knows */
#define SESSION_CREDIT_MAX       4096
#define SESSION_LEASE_MS         10000 /* a session silent for this long loses its leases */
#define SESSION_HEARTBEAT_MS     2000
#define RECONNECT_BACKOFF_MS_MAX 500
#define CONNECTIONS_MAX          4096
#define CLIENT_CONNECTIONS_MAX   (CONNECTIONS_MAX - 256) /* the others are left to the peers */
#define HELLO_MS_MAX             5000 /* a client's connection that has said nothing for so long is closed */
#define CONNECTION_OUTPUT_MAX    ((size_t)16 << 20)
#define CONNECTION_REQUESTS_MAX  1024   /* unanswered requests of one connection */
#define READS_WAITING_MAX        16384  /* reads that wait for a round or a snapshot */
#define RESULTS_WAITING_MAX      262144 /* RESULTs that wait for the end of a run */
#define MEMBERS_MAX              9

/* Rows in memory */
#define MEMORY_RANGES_MAX                                                                          \
    1024 /* covered ranges of one table; past it the one used longest ago is given up */

#endif
