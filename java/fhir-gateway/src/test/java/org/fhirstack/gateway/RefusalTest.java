package org.fhirstack.gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class RefusalTest {

    private static String place(String what) {
        return Refusal.denied("outside", "x").about(what).place();
    }

    @Test
    void theLogNamesTheEntry() {
        assertEquals("Bundle.entry[3]_(PUT_Patient/1)", place("Bundle.entry[3] (PUT Patient/1)"));
        assertEquals("PUT_Patient/1", place("PUT Patient/1"));
        assertEquals("", Refusal.denied("role", "x").place());
    }

    @Test
    void theLogTellsNothingThatWasSearched() {
        assertEquals("Bundle.entry[0]_(PUT_Patient)", place("Bundle.entry[0] (PUT Patient?name=Amina&birthdate=2020)"));
    }

    @Test
    void nobodyWritesLinesOfTheLog() {
        assertEquals("Bundle.entry[0]_(PUT_a__request_b_)", place("Bundle.entry[0] (PUT a\n\nrequest=b\u00e9)")
                .replace("/", "_"));
        assertEquals(160, place("x".repeat(500)).length());
    }
}
