/* The report: escaped, self-contained, whole. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "report/html.h"
#include "report/html_write.h"
#include "support/folder.h"

static void expect_base64(const char *in, const char *want)
{
    char *text = NULL;
    size_t len = 0;
    FILE *s = open_memstream(&text, &len);
    mdf_html_base64(s, (const uint8_t *)in, strlen(in));
    assert_int_equal(fclose(s), 0);
    assert_string_equal(text, want);
    free(text);
}

/* RFC 4648, section 10. */
static void base64_matches_the_rfc(void **state)
{
    (void)state;
    expect_base64("", "");
    expect_base64("f", "Zg==");
    expect_base64("fo", "Zm8=");
    expect_base64("foo", "Zm9v");
    expect_base64("foobar", "Zm9vYmFy");
}

static size_t occurrences(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = strstr(text, what); p != NULL; p = strstr(p + 1, what)) {
        n++;
    }
    return n;
}

static char *write_report(const test_folder *f, const mdf_report *r)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/report.html", f->path);
    assert_int_equal(mdf_report_write(path, r, NULL), MDF_OK);
    uint8_t *data = NULL;
    size_t len = 0;
    assert_int_equal(mdf_file_read(path, 1 << 24, &data, &len, NULL), MDF_OK);
    return (char *)data;
}

static void a_full_report_is_self_contained_and_escaped(void **state)
{
    (void)state;
    static const float prob[] = {0.7f, 0.3f, 0.4f, 0.6f};
    static const int label[] = {0, 0};
    static const char *const labels[] = {"normal", "<script>"};
    static const double x[] = {1, 2};
    static const uint8_t rgb[12] = {200};
    static const float map[] = {1};
    const mdf_metrics_input in = {
        .prob = prob, .label = label, .n = 2, .classes = 2, .resamples = 5};
    mdf_metrics m;
    assert_int_equal(mdf_metrics_compute(&m, &in, NULL), MDF_OK);
    const mdf_plot_series series = {"loss", x, x, 2};
    const mdf_report_chart chart = {
        .series = &series, .count = 1, .options = {.title = "Loss", .x_label = "", .y_label = ""}};
    const mdf_report_fact fact = {"preset", "tiny & small"};
    mdf_report_case cases[2] = {{.name = "a\"b.jpg", .text = "x < y", .label = 0, .prob = prob},
                                {.name = "c.jpg", .text = "", .label = 0, .prob = prob + 2}};
    const mdf_heatmap_options heat = {
        .rgb = rgb, .width = 2, .height = 2, .map = map, .columns = 1, .rows = 1};
    assert_int_equal(mdf_heatmap_draw(&cases[0].image, &heat, NULL), MDF_OK);
    static const char *const head[] = {"a<b", "c"};
    static const char *const name[] = {"x&y"};
    const double value[] = {0.25, (double)NAN};
    const mdf_report_table table = {.title = "Maps",
                                    .note = "1 < 2",
                                    .head = head,
                                    .name = name,
                                    .value = value,
                                    .columns = 2,
                                    .rows = 1};
    const mdf_report r = {.title = "Run <1>",
                          .table = &table,
                          .facts = &fact,
                          .fact_count = 1,
                          .charts = &chart,
                          .chart_count = 1,
                          .metrics = &m,
                          .input = &in,
                          .labels = labels,
                          .classes = 2,
                          .cases = cases,
                          .case_count = 2};
    test_folder f;
    test_folder_make(&f);
    char *html = write_report(&f, &r);
    assert_non_null(strstr(html, "<title>Run &lt;1&gt;</title>"));
    assert_non_null(strstr(html, "tiny &amp; small"));
    assert_non_null(strstr(html, "a&quot;b.jpg"));
    assert_non_null(strstr(html, "x &lt; y"));
    assert_non_null(strstr(html, "<h2>Maps</h2>\n<p>1 &lt; 2</p>"));
    assert_non_null(strstr(html, "<th scope=\"col\">a&lt;b</th>"));
    assert_non_null(strstr(html, ">x&amp;y</th><td>0.250</td><td>&ndash;</td></tr>"));
    assert_non_null(strstr(html, "Not a medical device."));
    assert_null(strstr(html, "<script>"));
    assert_null(strstr(html, "http"));
    /* loss, ROC, reliability, one heat-map: each with a text for who can't see it */
    assert_int_equal(occurrences(html, "data:image/png;base64,iVBORw0KGgo"), 4);
    assert_int_equal(occurrences(html, "<img "), occurrences(html, " alt=\""));
    assert_int_equal(occurrences(html, "<table"), occurrences(html, "</table>"));
    assert_int_equal(occurrences(html, "<section>"), occurrences(html, "</section>"));
    assert_int_equal(occurrences(html, "class=\"right\""), 1);
    assert_int_equal(occurrences(html, "class=\"wrong\""), 1);
    mdf_free(html);
    mdf_png_bytes_free(&cases[0].image);
    mdf_metrics_free(&m);
    test_folder_remove(&f);
}

static void an_almost_empty_report_is_still_a_page(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    char *html = write_report(&f, &(mdf_report){.title = "t"});
    assert_non_null(strstr(html, "</html>"));
    assert_int_equal(occurrences(html, "<section>"), 0);
    mdf_free(html);
    test_folder_remove(&f);
    mdf_error err = {0};
    assert_int_equal(
        mdf_report_write("/nonexistent-folder/r.html", &(mdf_report){.title = "t"}, &err),
        MDF_ERR_IO);
    assert_non_null(strstr(err.text, "/nonexistent-folder/r.html"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_matches_the_rfc),
        cmocka_unit_test(a_full_report_is_self_contained_and_escaped),
        cmocka_unit_test(an_almost_empty_report_is_still_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
