/* seccomp_table.c - run at build time: prints the compiled profiles of the usual capability sets as
 * C, for seccomp_filter.c. */
#include "sandbox/seccomp_profile.h"

#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>

static int print(uint64_t capabilities, int number)
{
    FILE *file = tmpfile();
    struct sock_filter one;
    if (file == NULL || seccomp_profile_export(capabilities, fileno(file)) != 0)
        return -1;
    rewind(file);
    printf("static struct sock_filter instructions_%d[] = {\n", number);
    while (fread(&one, sizeof one, 1, file) == 1)
        printf("    {0x%x, %u, %u, 0x%x},\n", one.code, one.jt, one.jf, one.k);
    printf("};\n");
    fclose(file);
    return 0;
}

/* Operands: the capability sets, in hexadecimal. */
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        uint64_t capabilities = seccomp_profile_capabilities(strtoull(argv[i], NULL, 16));
        if (print(capabilities, i) != 0)
            return EXIT_FAILURE;
    }
    printf("static const struct {\n    uint64_t capabilities;\n    struct sock_fprog program;\n"
           "} compiled[] = {\n");
    for (int i = 1; i < argc; i++)
        printf("    {0x%llx, {sizeof instructions_%d / sizeof(struct sock_filter), "
               "instructions_%d}},\n",
               (unsigned long long) seccomp_profile_capabilities(strtoull(argv[i], NULL, 16)), i,
               i);
    printf("};\n");
    return EXIT_SUCCESS;
}
