package org.fhirstack.gateway.token;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.auth0.jwt.JWT;
import com.auth0.jwt.algorithms.Algorithm;
import java.io.IOException;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.fhirstack.gateway.Cases;
import org.fhirstack.gateway.Issuer;
import org.fhirstack.gateway.Json;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class TokensTest {
    private static final class Hands extends Clock {
        private Instant now = Instant.now();

        @Override
        public ZoneId getZone() {
            return ZoneId.of("UTC");
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return this;
        }

        @Override
        public Instant instant() {
            return now;
        }
    }

    private final Hands clock = new Hands();
    private final Issuer issuer = new Issuer();
    private final IssuerKeys keys = new IssuerKeys(Issuer.NAME, ".well-known/openid-configuration", issuer::get,
            clock);
    private final Tokens tokens = new Tokens(Issuer.NAME, Set.of("app", "web"), keys, clock);

    private int status(String token) {
        return Cases.status(() -> tokens.verify(List.of("Bearer " + token)));
    }

    private String good(String kid) {
        return issuer.token("u", List.of("WEB_CLIENT"), Json.object(), kid);
    }

    @TestFactory
    Stream<DynamicTest> claims() throws IOException {
        keys.refresh();
        return Cases.of("tokens.json", one -> assertEquals(one.path("status").asInt(), status(issuer.token("u",
                Cases.texts(one.path("roles")), one.path("claims")))));
    }

    @Test
    void headersThatAreNotOneBearerToken() {
        keys.refresh();
        String token = good("one");
        assertEquals(401, Cases.status(() -> tokens.verify(List.of())));
        assertEquals(401, Cases.status(() -> tokens.verify(List.of("Basic dTpw"))));
        assertEquals(401, Cases.status(() -> tokens.verify(List.of("Bearer " + token, "Bearer " + token))));
        assertEquals(401, status("x.y.z"));
        assertEquals(401, status(token.substring(0, token.length() - 6) + "AAAAAA"));
        assertEquals(200, Cases.status(() -> tokens.verify(List.of("bearer " + token))));
    }

    @Test
    void hole_7_6_onlyRs256() {
        keys.refresh();
        assertEquals(401, status(JWT.create().withIssuer(Issuer.NAME).withSubject("u").withKeyId("one")
                .withClaim("typ", "Bearer").sign(Algorithm.HMAC256("secret secret secret secret secret"))));
        assertEquals(401, status(JWT.create().withIssuer(Issuer.NAME).withSubject("u").withKeyId("one")
                .sign(Algorithm.none())));
    }

    @Test
    void withoutKeysItIs503UntilTheIssuerIsThere() {
        issuer.down = true;
        assertFalse(keys.refresh());
        assertEquals(503, status(good("one")));
        assertFalse(keys.usable());
        issuer.down = false;
        assertTrue(keys.refresh());
        assertEquals(200, status(good("one")));
    }

    @Test
    void discoveryOfAnotherIssuerIsNotUsed() {
        issuer.discoveryIssuer = "https://other.example.org";
        assertFalse(keys.refresh());
        assertEquals(503, status(good("one")));
    }

    @Test
    void rotationIsFollowedAndRemovedKeysStopWorking() {
        keys.refresh();
        String old = good("one");
        assertEquals(200, status(old));
        issuer.add("two");
        assertEquals(200, status(good("two")));
        issuer.remove("one");
        keys.refresh();
        assertEquals(401, status(old));
    }

    @Test
    void unknownKeysAskTheIssuerSeldom() {
        keys.refresh();
        issuer.add("two");
        String strange = good("two");
        issuer.remove("two");
        int before = issuer.fetched;
        for (int i = 0; i < 20; i++) {
            assertEquals(401, status(strange));
        }
        assertEquals(before + 2, issuer.fetched);
    }

    @Test
    void oldKeysAreNotTrusted() {
        keys.refresh();
        clock.now = clock.now.plus(IssuerKeys.MAX_AGE).plusSeconds(1);
        assertEquals(503, status(good("one")));
    }

    @Test
    void aRememberedTokenExpires() {
        keys.refresh();
        String token = good("one");
        assertEquals(200, status(token));
        clock.now = clock.now.plusSeconds(320);
        keys.refresh();
        assertEquals(401, status(token));
    }
}
