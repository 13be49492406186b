/* Data sets for commands: loaded, with what is to be known about them said on stderr. */
#ifndef MDF_APPS_DATA_H
#define MDF_APPS_DATA_H

#include "app.h"
#include "data/manifest.h"

/* mdf_manifest_load(), then the notes of that level and above, unless --quiet. */
mdf_status app_load_data(const app *a, mdf_manifest *m, const char *const *dirs, size_t count,
                         mdf_note_level level, mdf_error *err) MDF_NODISCARD;

#endif
