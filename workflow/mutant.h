/* Mutants: deliberate defects that a test switches on to see its checker notice them.
 *
 * They exist only in builds with PAWL_MUTANTS; elsewhere WF_MUTANT(x) is the constant false.
 */
#ifndef PAWL_WORKFLOW_MUTANT_H
#define PAWL_WORKFLOW_MUTANT_H

enum wf_mutant {
    WF_MUTANT_NONE,
    WF_MUTANT_FENCE_UNCHECKED,       /* reports under old fences are taken */
    WF_MUTANT_REQUEST_FORGOTTEN,     /* a repeated request is decided again */
    WF_MUTANT_STEP_HANDED_OUT_TWICE, /* a step that is out still waits for a worker */
    WF_MUTANT_UNDO_FORWARD,          /* compensation in the order of completion */
    WF_MUTANT_TIMER_EARLY,           /* timers fire before they are due */
};

#ifdef PAWL_MUTANTS
extern enum wf_mutant wf_mutant; /* chosen by a test before it begins */
#define WF_MUTANT(name) (wf_mutant == WF_MUTANT_##name)
#else
#define WF_MUTANT(name) 0
#endif

#endif
