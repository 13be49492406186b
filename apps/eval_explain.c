/* mdf eval --explain: heat-map methods compared. */
#include "eval_explain.h"

#include <string.h>

mdf_status eval_explain_parse(app *a, const arg_list *values, bool method[MDF_EXPLAIN_METHODS],
                              bool *all, mdf_error *err)
{
    app_labels names;
    MDF_TRY(app_labels_of(&names, values, err));
    *all = false;
    memset(method, 0, MDF_EXPLAIN_METHODS * sizeof *method);
    mdf_status status = MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < names.count; i++) {
        mdf_explain one;
        if (strcmp(names.name[i], "all") == 0) {
            *all = true;
        } else if (mdf_explain_find(&one, names.name[i])) {
            method[one - MDF_EXPLAIN_GRADIENT] = true;
        } else {
            status = app_usage(a, err,
                               "--explain takes gradient, layercam, attention, occlusion or all, "
                               "not '%s'",
                               names.name[i]);
        }
    }
    for (int k = 0; *all && k < MDF_EXPLAIN_METHODS; k++) {
        method[k] = true;
    }
    app_labels_free(&names);
    return status;
}

mdf_status eval_explain_suit(const app *a, const mdf_engine *e, bool method[MDF_EXPLAIN_METHODS],
                             bool all, mdf_error *err)
{
    for (int k = 0; k < MDF_EXPLAIN_METHODS; k++) {
        const mdf_explain one = (mdf_explain)(MDF_EXPLAIN_GRADIENT + k);
        const char *obstacle = method[k] ? mdf_explain_obstacle(e->model, one) : NULL;
        if (obstacle == NULL) {
            continue;
        }
        if (!all) {
            return mdf_fail(err, MDF_ERR_ARG, "--explain %s: %s", mdf_explain_name(one), obstacle);
        }
        app_say(a, "--explain leaves %s out: %s", mdf_explain_name(one), obstacle);
        method[k] = false;
    }
    return MDF_OK;
}

void eval_maps_table_free(eval_maps_table *t)
{
    mdf_strbuf_free(&t->note);
    for (size_t i = 0; i < MDF_HEAT_ROWS; i++) {
        mdf_strbuf_free(&t->name[i]);
    }
}

/* The numbers of one kind of map: skill with its interval, then the others, then time. */
static mdf_status fill_row(double *out, const mdf_heat_compare *c, size_t row, size_t resamples,
                           mdf_error *err)
{
    size_t n = 0;
    for (int k = 0; k < MDF_HEAT_SAYS; k++) {
        mdf_estimate e;
        MDF_TRY(mdf_heat_estimate(&e, c, row, (mdf_heat_number)k, -1, resamples, err));
        out[n++] = e.value;
        if (k == MDF_HEAT_SAYS_SKILL) {
            out[n++] = e.ci.low;
            out[n++] = e.ci.high;
        }
    }
    out[n] = c->row[row].ms;
    return MDF_OK;
}

mdf_status eval_maps_table_of(eval_maps_table *out, const mdf_heat_compare *c, size_t resamples,
                              mdf_error *err)
{
    static const char *const head[MDF_HEAT_SAYS + 3] = {"pointing",
                                                        "skill",
                                                        "from",
                                                        "to",
                                                        "AUPRC",
                                                        "gain",
                                                        "deletion",
                                                        "insertion",
                                                        "head shuffled",
                                                        "encoder shuffled",
                                                        "ms"};
    memset(out, 0, sizeof *out);
    if (c == NULL) {
        return MDF_OK;
    }
    out->note = mdf_strbuf_new(1 << 16);
    mdf_heat_compare_about(&out->note, c);
    bool failed = out->note.failed;
    for (size_t i = 0; i < c->rows; i++) {
        out->name[i] = mdf_strbuf_new(1 << 10);
        mdf_heat_row_name(&out->name[i], &c->row[i]);
        failed = failed || out->name[i].failed;
        out->names[i] = out->name[i].data;
        MDF_TRY(fill_row(out->value[i], c, i, resamples, err));
    }
    out->table = (mdf_report_table){.title = "Heat-maps",
                                    .note = out->note.data,
                                    .head = head,
                                    .name = out->names,
                                    .value = out->value[0],
                                    .columns = APP_COUNT(head),
                                    .rows = c->rows};
    return failed ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the report") : MDF_OK;
}
