/* Progress and stop for the commands that write whole models. */
#ifndef MDF_APPS_MODEL_WATCH_H
#define MDF_APPS_MODEL_WATCH_H

#include "app.h"
#include "convert/model_rewrite.h"
#include "progress.h"

typedef struct app_model_watch {
    app_progress bar; /* counts millions of numbers */
    mdf_stream_watch watch;
} app_model_watch;

/* w must not move afterwards. */
void app_model_watch_start(app_model_watch *w, const app *a, const char *label);
void app_model_watch_finish(app_model_watch *w);

/* "q4_0" for an option; wrong words are wrong usage. */
mdf_status app_parse_format(app *a, const char *option, const char *word, mdf_dtype *type,
                            bool *keep, mdf_error *err) MDF_NODISCARD;

enum { APP_SIZE = 24 };
/* "7.428 GB", "1.9 MB" */
const char *app_size(size_t bytes, char text[APP_SIZE]);

/* mdf_model_rewrite() with a progress line. */
mdf_status app_rewrite(const app *a, const char *label, const char *from, const char *to,
                       const mdf_rewrite *how, mdf_rewrite_result *result,
                       mdf_error *err) MDF_NODISCARD;

/* The result as JSON; NULL = out of memory. */
json_t *app_rewrite_json(const char *to, const mdf_rewrite_result *result);

/* The result: a line per tensor when wanted, sizes; as JSON with --json. Frees it. */
mdf_status app_print_rewrite(const app *a, const char *to, bool each, mdf_rewrite_result *result,
                             mdf_error *err) MDF_NODISCARD;

#endif
