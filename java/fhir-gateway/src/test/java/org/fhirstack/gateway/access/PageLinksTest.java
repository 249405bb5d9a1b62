package org.fhirstack.gateway.access;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Set;
import org.fhirstack.gateway.Cases;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.token.User;
import org.junit.jupiter.api.Test;

/** Hole 9.2.5: another user's page id. */
class PageLinksTest {
    private static final User ASHA = new User("asha", "quest", User.Client.ANDROID, Set.of());
    private static final AnswerRule.Page PAGE = new AnswerRule.Page("Patient", AnswerRule.Mode.INCLUDES, "f", "l1,l2");
    private final PageLinks links = new PageLinks("0123456789012345678901234567890123456789".getBytes());
    private final String signature = links.sign("page-1", ASHA, PAGE);

    private int status(User user, String... params) {
        return Cases.status(() -> links.verify(Query.of(params), user));
    }

    @Test
    void theOwnerMayTurnThePage() {
        Query query = Query.of("_getpages", "page-1", "_getpagesoffset", "20", "_count", "20", "_pagesig", signature);
        assertEquals(PAGE, links.verify(query, ASHA));
        assertEquals(PAGE, new PageLinks("0123456789012345678901234567890123456789".getBytes()).verify(query, ASHA));
    }

    @Test
    void hole_9_2_5_nobodyElseMay() {
        for (User other : new User[] {new User("binta", "quest", User.Client.ANDROID, Set.of()),
            new User("asha", "other", User.Client.ANDROID, Set.of()),
            new User("asha", "quest", User.Client.WEB, Set.of())}) {
            assertEquals(403, status(other, "_getpages", "page-1", "_pagesig", signature));
        }
        assertEquals(403, Cases.status(() -> new PageLinks("another secret another secret another".getBytes())
                .verify(Query.of("_getpages", "page-1", "_pagesig", signature), ASHA)));
    }

    @Test
    void nothingCanBeAltered() {
        assertEquals(403, status(ASHA, "_getpages", "page-2", "_pagesig", signature));
        assertEquals(403, status(ASHA, "_getpages", "page-1"));
        assertEquals(403, status(ASHA, "_getpages", "page-1", "_pagesig", ""));
        assertEquals(403, status(ASHA, "_getpages", "page-1", "_pagesig", "." + signature.split("\\.")[1]));
        String plain = links.sign("page-2", ASHA, new AnswerRule.Page("Patient", AnswerRule.Mode.PLAIN, "", ""));
        assertEquals(403, status(ASHA, "_getpages", "page-1", "_pagesig",
                plain.split("\\.")[0] + "." + signature.split("\\.")[1]));
        assertEquals(400, status(ASHA, "_getpages", "page-1", "_getpages", "page-2", "_pagesig", signature));
        assertEquals(400, status(ASHA, "_getpages", "page-1", "_pagesig", signature, "_pagesig", signature));
        assertEquals(400, status(ASHA, "_getpages", "page-1", "_pagesig", signature, "_include", "*"));
    }
}
