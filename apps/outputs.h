/* What the commands may write over. An output never replaces a file that the same run reads,
 * however it is named; another file that is there only when mdf wrote it (which its first bytes
 * say: PNG, HTML, JSON and conversations carry the name of the program), when it is empty, or with
 * --force. A folder that holds a model, or that a training is writing, gets none from another
 * command. */
#ifndef MDF_APPS_OUTPUTS_H
#define MDF_APPS_OUTPUTS_H

#include "app.h"
#include "data/manifest.h"

/* A file that a command was told to write. */
typedef struct app_output {
    const char *flag; /* "--report" */
    const char *path; /* NULL or "-": none, to which no function here objects */
} app_output;

/* Ask before the work. MDF_ERR_ARG: something is there that must stay. */
mdf_status app_output_check(app_output o, bool force, mdf_error *err) MDF_NODISCARD;

/* It is not the file at path (NULL: fine), by device and number, so that links do not matter. */
mdf_status app_output_not_file(app_output o, const char *path, mdf_error *err) MDF_NODISCARD;

/* The files that a run reads, where outputs are many. */
typedef struct app_inputs {
    struct app_input *file; /* [count] by device and number; those that are there */
    size_t count;
} app_inputs;

/* path [count] is borrowed. app_inputs_free(), also on failure. */
mdf_status app_inputs_of(app_inputs *in, const char *const *path, size_t count,
                         mdf_error *err) MDF_NODISCARD;
void app_inputs_free(app_inputs *in);

/* app_output_not_file() for all of them. */
mdf_status app_output_not_among(app_output o, const app_inputs *in, mdf_error *err) MDF_NODISCARD;

/* Is dir, which need not be there yet, the folder or somewhere below it? Links are followed. */
mdf_status app_is_below(const char *dir, const char *folder, bool *below,
                        mdf_error *err) MDF_NODISCARD;

/* Nor one that lies directly in the folder: a model's, an adapter's. NULL: fine. */
mdf_status app_output_not_in(app_output o, const char *dir, mdf_error *err) MDF_NODISCARD;

/* Nor a table, picture or mask of a data set. */
mdf_status app_output_not_data(app_output o, const mdf_manifest *m, mdf_error *err) MDF_NODISCARD;

/* For commands that write a model folder. */
mdf_status app_output_folder(const char *dir, mdf_error *err) MDF_NODISCARD;

#endif
