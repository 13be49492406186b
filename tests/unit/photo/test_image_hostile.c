/* Pictures with odd or malicious structure: shown when they can be, refused in one sentence when
 * not, and never a crash, a hang or a flood of memory. See tests/golden/hostile/README.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "photo/fov.h"
#include "photo/image.h"
#include "support/probes.h"

#define GOLDEN MDF_TEST_DATA "/golden/hostile/"

static void what_can_be_shown_is_shown(void **state)
{
    (void)state;
    assert_int_equal(check_probes(GOLDEN), 7 * 4);
}

static void expect_refusal(const char *name, mdf_status code, const char *words)
{
    char path[512];
    mdf_image im = {0};
    mdf_error err = {0};
    (void)snprintf(path, sizeof path, GOLDEN "%s", name);
    const mdf_status status = mdf_image_read(&im, path, &err);
    if (status != code || strstr(err.text, words) == NULL || strstr(err.text, path) != err.text) {
        fail_msg("%s: status %d, \"%s\"", name, (int)status, err.text);
    }
    assert_null(im.rgb);
}

static void what_cannot_be_shown_is_refused_in_one_sentence(void **state)
{
    (void)state;
    expect_refusal("no_width.png", MDF_ERR_FORMAT, "the PNG header is damaged or cut short");
    expect_refusal("claims_196_million.png", MDF_ERR_FORMAT, "the picture is damaged or cut short");
    expect_refusal("float.tif", MDF_ERR_FORMAT, "only 8 and 16-bit integer pixels are read");
}

/* Each side is within its limit, the square that a field of view needs is not. */
static void a_strip_is_no_photograph(void **state)
{
    (void)state;
    mdf_image im = {0};
    mdf_image crop = {0};
    mdf_error err = {0};
    assert_int_equal(mdf_image_read(&im, GOLDEN "narrow.png", &err), MDF_OK);
    assert_int_equal(mdf_fov_crop(&crop, NULL, &im, &err), MDF_ERR_LIMIT);
    assert_string_equal(err.text, "40000 x 1 pixels are no photograph: a square around them would "
                                  "have more than 200 million");
    assert_null(crop.rgb);
    mdf_image_free(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_shown_is_shown),
        cmocka_unit_test(what_cannot_be_shown_is_refused_in_one_sentence),
        cmocka_unit_test(a_strip_is_no_photograph),
    };
    return cmocka_run_group_tests_name("image_hostile", tests, NULL, NULL);
}
