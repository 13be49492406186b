/* The table of commands. */
#include "app.h"

static const app_command *const commands[] = {
    &app_data_synth, &app_data_check, &app_data_split, &app_train,  &app_eval,  &app_calibrate,
    &app_adapt,      &app_predict,    &app_segment,    &app_export, &app_graft, &app_import,
    &app_init,       &app_quantize,   &app_pull,       &app_info,   &app_bench,
};
_Static_assert(APP_COUNT(commands) <= APP_MAX_COMMANDS, "arrays of commands have that many");

const app_command *const *app_commands(size_t *count)
{
    *count = APP_COUNT(commands);
    return commands;
}
