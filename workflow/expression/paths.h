/* Paths: reading, writing and deleting inside datums, by one key or by an array of keys.
 *
 * A key is a string (of an object), a number (of an array), an object {start, end} (a slice), or an
 * array (the places where it occurs; reading only). null reads as empty and becomes what is written
 * into it.
 */
#ifndef PAWL_WORKFLOW_EXPRESSION_PATHS_H
#define PAWL_WORKFLOW_EXPRESSION_PATHS_H

#include "workflow/expression/work.h"

bool path_index(struct work *work, struct datum target, struct datum key, struct datum *value_out);
bool path_slice(struct work *work, struct datum target, struct datum from, struct datum to,
                struct datum *part_out);
/* {"start": from, "end": to}, the key of a slice. */
bool path_slice_key(struct work *work, struct datum from, struct datum to, struct datum *key_out);
/* The places where an array occurs in an array, or a string in a string (in code points). */
bool path_indices(struct work *work, struct datum target, struct datum key,
                  struct datum *places_out);

bool path_get(struct work *work, struct datum target, struct datum path, struct datum *value_out);
bool path_set(struct work *work, struct datum target, struct datum path, struct datum value,
              struct datum *changed_out);
/* The same within an edit: what the edit made is changed in place. The intermediate results of an
 * edit must not be seen by anything else, or the edit must go on under a new number. */
bool path_edit(struct work *work, struct datum target, struct datum path, struct datum value,
               uint32_t edit, struct datum *changed_out);
bool path_delete(struct work *work, struct datum target, struct datum paths,
                 struct datum *changed_out);

#endif
