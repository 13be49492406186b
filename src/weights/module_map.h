/* Numbers for modules of a model by regular expressions of their names, matched as PEFT matches
 * the keys of rank_pattern and alpha_pattern: re.match(rf"(.*\.)?({key})$", module), the first key
 * counts. */
#ifndef MDF_WEIGHTS_MODULE_MAP_H
#define MDF_WEIGHTS_MODULE_MAP_H

#include <stddef.h>

#include "base/status.h"

typedef struct mdf_module_map mdf_module_map;

/* path and setting ("rank_pattern") begin every error; both are borrowed. Caller frees. */
mdf_status mdf_module_map_new(mdf_module_map **out, const char *path, const char *setting,
                              mdf_error *err) MDF_NODISCARD;
void mdf_module_map_free(mdf_module_map *m); /* NULL is allowed */

/* Adds a key (borrowed) behind the others. Python's and PCRE2's expressions differ in places; a key
 * that has something of which both do not mean the same is refused, with what it is. */
mdf_status mdf_module_map_add(mdf_module_map *m, const char *key, double value,
                              mdf_error *err) MDF_NODISCARD;

/* *value: of the first key that matches the module; left alone when none does. An expression that
 * takes too many steps is MDF_ERR_LIMIT. */
mdf_status mdf_module_map_find(mdf_module_map *m, const char *module, double *value,
                               mdf_error *err) MDF_NODISCARD;

/* Every key has matched a module that was looked for, be it behind another. */
mdf_status mdf_module_map_check_used(const mdf_module_map *m, mdf_error *err) MDF_NODISCARD;

/* How many bytes at the start of the expression mean the same in Python and in PCRE2; n: all. */
size_t mdf_module_map_common(const char *expression, size_t n);

#endif
