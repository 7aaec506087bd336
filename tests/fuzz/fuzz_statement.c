/* A statement that is accepted is written again as the very bytes that were signed. */
#include "identity/statement.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(ApprovalStatement) statement =
        approval_statement_parse((const char *) data, size, NULL);
    if (statement == NULL)
        return 0;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = approval_statement_format(statement, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(text, strlen(text), data, size);
    return 0;
}
