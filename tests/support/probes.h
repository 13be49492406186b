/* Pictures and single pixels of them as Pillow shows them: a folder's probes.txt has lines of name,
 * width, height, x, y, red, green, blue, tolerance. cmocka.h comes first. */
#ifndef MDF_TEST_PROBES_H
#define MDF_TEST_PROBES_H

#include <stdio.h>
#include <stdlib.h>

#include "photo/image.h"

static inline void check_probe(const char *folder, const char *line)
{
    char name[64];
    char path[512];
    int v[8];
    if (sscanf(line, "%63s %d %d %d %d %d %d %d %d", name, v, v + 1, v + 2, v + 3, v + 4, v + 5,
               v + 6, v + 7) != 9) {
        fail_msg("cannot read probe: %s", line);
    }
    (void)snprintf(path, sizeof path, "%s%s", folder, name);
    mdf_image im = {0};
    mdf_error err = {0};
    if (mdf_image_read(&im, path, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(im.width, v[0]);
    assert_int_equal(im.height, v[1]);
    const uint8_t *p = im.rgb + (v[3] * im.width + v[2]) * 3;
    for (int c = 0; c < 3; c++) {
        if (abs(p[c] - v[4 + c]) > v[7]) {
            fail_msg("%s at (%d, %d): %d %d %d", name, v[2], v[3], p[0], p[1], p[2]);
        }
    }
    mdf_image_free(&im);
}

/* Checks all lines and gives their number; folder ends with a slash. */
static inline int check_probes(const char *folder)
{
    char line[512];
    int rows = 0;
    (void)snprintf(line, sizeof line, "%sprobes.txt", folder);
    FILE *f = fopen(line, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        if (line[0] != '#') {
            check_probe(folder, line);
            rows++;
        }
    }
    (void)fclose(f);
    return rows;
}

#endif
