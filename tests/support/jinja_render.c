/* mdf_jinja_render: tools/check_jinja.py's other end. Reads JSON lines {"template", "root", "now"}
 * from standard input (now: [year, month, day, hour, minute, second]) and writes for each a line
 * {"text"} or {"error", "status"}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jinja/jinja.h"

#include "base/limits.h"

static json_t *answer(const json_t *row)
{
    mdf_error err = {0};
    mdf_jinja *t = NULL;
    const json_t *text = json_object_get(row, "template");
    const json_t *now = json_object_get(row, "now");
    int at[6] = {1970, 1, 1, 0, 0, 0};
    for (size_t i = 0; i < 6 && json_is_array(now); i++) {
        at[i] = (int)json_integer_value(json_array_get(now, i));
    }
    const struct tm tm = {.tm_year = at[0] - 1900,
                          .tm_mon = at[1] - 1,
                          .tm_mday = at[2],
                          .tm_hour = at[3],
                          .tm_min = at[4],
                          .tm_sec = at[5]};
    mdf_strbuf out = mdf_strbuf_new(MDF_MAX_CHAT_BYTES);
    mdf_status status =
        mdf_jinja_compile(&t, "template", json_string_value(text), json_string_length(text), &err);
    if (status == MDF_OK) {
        status = mdf_jinja_render(t, json_object_get(row, "root"), &(mdf_jinja_options){&tm}, &out,
                                  &err);
    }
    json_t *reply = status == MDF_OK
                        ? json_pack("{s:s%}", "text", out.data == NULL ? "" : out.data, out.len)
                        : json_pack("{s:s, s:i}", "error", err.text, "status", (int)status);
    mdf_jinja_free(t);
    mdf_strbuf_free(&out);
    return reply;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
        json_t *reply = row == NULL ? NULL : answer(row);
        char *text = reply == NULL ? NULL : json_dumps(reply, JSON_COMPACT);
        if (text == NULL) {
            (void)fprintf(stderr, "mdf_jinja_render: no JSON\n");
            return 1;
        }
        (void)puts(text);
        free(text);
        json_decref(reply);
        json_decref(row);
    }
    free(line);
    return 0;
}
