/* A compiled definition: an array of tasks in document order, and what each of them evaluates.
 *
 * 1. Task 0 is the workflow itself: its children are the top-level tasks, its input, output and
 * timeout are the document's. Every other task has an index above its owner's and above that of the
 * task before it.
 * 2. Indices and pointers depend on the document alone; rows of running instances hold them.
 * 3. Nothing here changes once definition_read or definition_load has returned it.
 */
#ifndef PAWL_WORKFLOW_TASK_H
#define PAWL_WORKFLOW_TASK_H

#include "workflow/definition.h"
#include "workflow/expression/expression.h"
#include "workflow/template.h"

enum task_kind {
    TASK_ROOT,
    TASK_DO,
    TASK_CALL,
    TASK_SET,
    TASK_SWITCH,
    TASK_WAIT,
    TASK_TRY,
    TASK_RAISE,
    TASK_COMPENSATE, /* call: pawl.compensate */
};

enum flow_kind { FLOW_CONTINUE, FLOW_EXIT, FLOW_END, FLOW_TASK };
struct flow {
    enum flow_kind kind;
    uint32_t task;     /* FLOW_TASK */
    struct bytes name; /* FLOW_TASK, until it is resolved */
};

struct duration {
    bool is_given;
    uint64_t us;
    const struct template *text; /* not NULL: gives an ISO 8601 duration or a duration object */
};

enum backoff_kind { BACKOFF_CONSTANT, BACKOFF_LINEAR, BACKOFF_EXPONENTIAL };
struct retry_policy {
    const struct expression *when, *except_when;
    struct duration delay;
    enum backoff_kind backoff;
    double factor; /* of exponential */
    struct duration delay_max;
    bool has_count;
    uint32_t count; /* retries, the first attempt not counted */
    struct duration attempt_limit, total_limit;
    struct duration jitter_from, jitter_to;
};

/* raise.error, inline or of use.errors. */
struct error_spec {
    const struct template *type, *status, *title, *detail, *instance; /* NULL: not given */
};

/* catch.errors.with; empty or absent: any. */
struct error_filter {
    struct bytes type; /* canonical */
    bool has_status;
    int64_t status;
    struct bytes instance, title, detail;
};

struct catch_spec {
    struct error_filter filter;
    uint32_t error_slot; /* variable that holds the error in this catch */
    const struct expression *when, *except_when;
    const struct retry_policy *retry; /* NULL: none */
    uint32_t first;                   /* task; 0: no `do` */
    bool has_do, has_flow;
    struct flow flow;
};

struct switch_case {
    struct bytes name;
    const struct expression *when; /* NULL: default */
    struct flow flow;
};

struct compensation_spec {
    struct bytes type;
    const struct template *with;      /* NULL: {} */
    const struct retry_policy *retry; /* NULL: the default */
    bool on_completed, on_unknown;
};

struct task {
    enum task_kind kind;
    uint32_t index, owner; /* owner: the task whose list this one stands in */
    uint32_t next;         /* in the same list; 0: the last */
    uint32_t first;        /* ROOT, DO, TRY: first of its list; 0: empty */
    uint32_t last;         /* highest index of a task inside this one, itself included */
    bool is_in_catch;      /* stands in the owner's catch.do */
    struct bytes name, pointer;
    struct bytes source; /* the task's definition as a value, for $task.definition */
    const struct expression *condition;
    const struct template *input_from, *output_as, *export_as; /* NULL: as it is */
    struct duration timeout;
    struct flow flow;
    bool keeps_input; /* something that runs after the task began names its input */

    struct bytes call_type;      /* CALL */
    const struct template *with; /* CALL; NULL: the task's input */
    bool is_at_most_once;
    const struct compensation_spec *compensation; /* NULL: none */
    const struct template *value;                 /* SET */
    struct switch_case *cases;                    /* SWITCH */
    size_t case_count;
    struct duration wait;           /* WAIT */
    struct catch_spec *catch_spec;  /* TRY */
    const struct error_spec *error; /* RAISE */
    bool has_scope;                 /* COMPENSATE: only what was done inside task `scope` */
    uint32_t scope;
};

/* The variables by slot; those of enclosing catches follow, outermost first. */
enum variable_slot {
    SLOT_CONTEXT,
    SLOT_INPUT,
    SLOT_OUTPUT,
    SLOT_TASK,
    SLOT_WORKFLOW,
    SLOT_RUNTIME,
    SLOT_ERROR_FIRST,
};

struct definition {
    struct arena arena;
    struct bytes namespace_name, name, version;
    struct bytes value;
    bool compensates_on_fault;
    struct task **tasks;
    uint32_t task_count;
    struct definition_warning *warnings;
    size_t warning_count;
};

#endif
