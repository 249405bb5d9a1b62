package org.fhirstack.gateway.access;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.util.stream.Stream;
import org.fhirstack.gateway.Cases;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.Query;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

class UrlsTest {

    @TestFactory
    Stream<DynamicTest> paths() throws IOException {
        return Cases.of("paths.json", one -> {
            String path = one.path("path").asText();
            if (one.has("kind")) {
                FhirUrl url = FhirUrl.parse(path);
                assertEquals(one.path("kind").asText(), url.kind().name());
                assertEquals(path, url.path());
            } else {
                Assertions.assertThrows(Refusal.class, () -> FhirUrl.parse(path));
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> queries() throws IOException {
        return Cases.of("queries.json", one -> {
            String raw = one.path("raw").asText();
            if (one.has("rebuilt")) {
                assertEquals(one.path("rebuilt").asText(), Query.parse(raw).encode());
            } else {
                Assertions.assertThrows(Refusal.class, () -> Query.parse(raw));
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> searches() throws IOException {
        return Cases.of("searches.json", one -> {
            Query query = Query.parse(one.path("query").asText());
            if (one.has("status")) {
                assertEquals(one.path("status").asInt(), Cases.status(() -> SearchRules.of("Patient", query)));
                return;
            }
            SearchRules.Reach reach = SearchRules.of("Patient", query);
            assertEquals(Cases.texts(one.path("reached")).toString(), reach.reached().toString());
            assertEquals(Cases.texts(one.path("included")).toString(), reach.included().toString());
            assertEquals(one.path("includes").asBoolean(), reach.includes());
            assertEquals(Cases.texts(one.path("chains")), reach.chains().stream().map(c -> c.links().stream()
                    .map(l -> l.parameter() + ":" + l.type()).toList() + "." + c.last()).toList());
        });
    }
}
