/* The workflows that the simulated people run: one for each thing the engine can do. */
#ifndef PAWL_SIM_DEFINITIONS_H
#define PAWL_SIM_DEFINITIONS_H

#include "proto/bytes.h"

#define SIM_NAMESPACE "sim"

struct sim_definition {
    const char *name;
    const char *source;
};

extern const struct sim_definition sim_definitions[];
extern const size_t sim_definition_count;

/* Every step type that they call. */
extern const char *const sim_step_types[];
extern const size_t sim_step_type_count;

#endif
