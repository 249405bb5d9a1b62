package org.fhirstack.gateway.access;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.stream.Stream;
import org.fhirstack.gateway.Cases;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.Query;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class AllowListTest {

    @TestFactory
    Stream<DynamicTest> lint() throws IOException {
        return Cases.of("allow-list-lint.json", one -> {
            AllowList.Result result = AllowList.read(Json.write(one.path("file")));
            String said = String.join("\n", result.problems());
            if (!one.has("says")) {
                assertEquals("", said);
            }
            one.path("says").forEach(text -> assertTrue(said.contains(text.asText()), said));
        });
    }

    @TestFactory
    Stream<DynamicTest> matches() throws IOException {
        AllowList list = AllowList.read(Json.write(Cases.read("allow-list.json"))).list();
        return Cases.of("allow-list-matches.json", one -> {
            FhirUrl url = FhirUrl.parse(one.path("path").asText());
            Query query = Query.parse(one.path("query").asText());
            Query open = list.opened(url, query, true);
            assertEquals(one.path("open").asBoolean(), open != null);
            assertEquals(one.path("user").asBoolean(one.path("open").asBoolean()),
                    list.opened(url, query, false) != null);
            if (one.has("sent")) {
                assertEquals(one.path("sent").asText(), open.encode());
            }
            assertEquals(one.path("unknown").asBoolean(), list.unknown(url, query) && open == null);
        });
    }

    @Test
    void duplicateKeysAreNotRead() {
        assertEquals(1, AllowList.read("{\"entries\":[],\"entries\":[]}".getBytes()).problems().size());
    }
}
