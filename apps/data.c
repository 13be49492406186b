/* Data sets for commands. */
#include "data.h"

mdf_status app_load_data(const app *a, mdf_manifest *m, const char *const *dirs, size_t count,
                         mdf_note_level level, mdf_error *err)
{
    MDF_TRY(mdf_manifest_load(m, dirs, count, err));
    for (size_t i = 0; i < m->note_count; i++) {
        if (m->notes[i].level >= level) {
            app_say(a, "%s", m->notes[i].text);
        }
    }
    return MDF_OK;
}
