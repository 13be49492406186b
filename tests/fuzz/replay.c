/* The main of replay_<target>: feeds every file of the given folders to the fuzz target, each from
 * a heap buffer of exactly its size, so that any compiler's AddressSanitizer sees a read past its
 * end. Fails when a folder has no file at all. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 1 when the file was fed, 0 when path is no regular file, -1 on an error. */
static int feed(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        return 0;
    }
    FILE *f = fopen(path, "rb");
    const size_t size = (size_t)info.st_size;
    uint8_t *data = malloc(size); /* malloc(0) is a zero-byte block under AddressSanitizer */
    int result = -1;
    if (f != NULL && (data != NULL || size == 0) && fread(data, 1, size, f) == size) {
        (void)LLVMFuzzerTestOneInput(data, size);
        result = 1;
    }
    free(data);
    if (f != NULL) {
        (void)fclose(f);
    }
    return result;
}

static int feed_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    int fed = 0;
    if (dir == NULL) {
        (void)fprintf(stderr, "%s: cannot open the folder\n", folder);
        return -1;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        const int one = feed(path);
        if (one < 0) {
            (void)fprintf(stderr, "%s: cannot read\n", path);
            fed = -1;
            break;
        }
        fed += one;
    }
    (void)closedir(dir);
    return fed;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const int fed = feed_folder(argv[i]);
        if (fed <= 0) {
            (void)fprintf(stderr, "%s: no input was replayed\n", argv[i]);
            return 1;
        }
        (void)printf("%s: %d inputs\n", argv[i], fed);
    }
    return argc > 1 ? 0 : 1;
}
