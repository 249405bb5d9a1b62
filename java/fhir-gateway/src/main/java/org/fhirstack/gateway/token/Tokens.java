package org.fhirstack.gateway.token;

import com.auth0.jwt.JWT;
import com.auth0.jwt.algorithms.Algorithm;
import com.auth0.jwt.exceptions.JWTDecodeException;
import com.auth0.jwt.exceptions.SignatureVerificationException;
import com.auth0.jwt.interfaces.DecodedJWT;
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.interfaces.RSAPublicKey;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.fhirstack.gateway.Refusal;

/**
 * Verifies access tokens. A verified token is remembered by its hash until it expires, and only as long as its key is
 * still one of the issuer's.
 */
public final class Tokens {
    private static final int MAX_LENGTH = 64 << 10;
    private static final long LEEWAY_MS = 5_000;
    private static final int REMEMBERED = 5_000;

    private record Verified(User user, String kid, RSAPublicKey key, long notBefore, long expires) {
    }

    private final String issuer;
    private final Set<String> clients;
    private final IssuerKeys keys;
    private final Clock clock;
    private final Cache<String, Verified> cache = Caffeine.newBuilder().maximumSize(REMEMBERED).recordStats().build();

    public Tokens(String issuer, Set<String> clients, IssuerKeys keys, Clock clock) {
        this.issuer = issuer;
        this.clients = clients;
        this.keys = keys;
        this.clock = clock;
    }

    public Cache<?, ?> cache() {
        return cache;
    }

    /** The user of an {@code Authorization} header; refuses with 401 (token), 403 (roles) or 503 (no keys yet). */
    public User verify(List<String> authorization) {
        if (authorization.isEmpty()) {
            throw Refusal.token("no-token", "This needs a bearer token.");
        }
        String header = authorization.get(0);
        if (authorization.size() > 1 || header.length() > MAX_LENGTH || !header.regionMatches(true, 0, "Bearer ", 0, 7)) {
            throw Refusal.token("bad-token", "The Authorization header must hold one bearer token.");
        }
        if (!keys.usable()) {
            throw new Refusal(503, "no-keys", "The token issuer's keys are not available; try again soon.");
        }
        String token = header.substring(7).trim();
        String hash = hash(token);
        Verified known = cache.getIfPresent(hash);
        if (known != null && keys.known(known.kid()) == known.key()) {
            checkTimes(known.notBefore(), known.expires());
            return known.user();
        }
        Verified fresh = known != null && sameKey(known) ? rebind(known) : decodeAndCheck(token);
        checkTimes(fresh.notBefore(), fresh.expires());
        cache.put(hash, fresh);
        return fresh.user();
    }

    private boolean sameKey(Verified v) {
        return v.key().equals(keys.known(v.kid()));
    }

    private Verified rebind(Verified v) {
        return new Verified(v.user(), v.kid(), keys.known(v.kid()), v.notBefore(), v.expires());
    }

    private void checkTimes(long notBefore, long expires) {
        long now = clock.millis();
        if (now > expires + LEEWAY_MS) {
            throw Refusal.token("bad-token", "The token has expired.");
        }
        if (now < notBefore - LEEWAY_MS) {
            throw Refusal.token("bad-token", "The token is not valid yet.");
        }
    }

    private Verified decodeAndCheck(String token) {
        DecodedJWT jwt;
        try {
            jwt = JWT.decode(token);
        } catch (JWTDecodeException e) {
            throw Refusal.token("bad-token", "The token is not a JWT.");
        }
        if (!"RS256".equals(jwt.getAlgorithm()) || jwt.getKeyId() == null || jwt.getKeyId().isEmpty()) {
            throw Refusal.token("bad-token", "The token must be signed with RS256 and name its key.");
        }
        RSAPublicKey key = keys.find(jwt.getKeyId());
        if (key == null) {
            throw Refusal.token("bad-token", "The token is signed with a key that the issuer does not show.");
        }
        try {
            Algorithm.RSA256(key, null).verify(jwt);
        } catch (SignatureVerificationException e) {
            throw Refusal.token("bad-token", "The token's signature is wrong.");
        }
        return new Verified(claims(jwt), jwt.getKeyId(), key,
                jwt.getNotBefore() == null ? 0 : jwt.getNotBefore().getTime(), jwt.getExpiresAt().getTime());
    }

    private User claims(DecodedJWT jwt) {
        if (!issuer.equals(jwt.getIssuer())) {
            throw Refusal.token("bad-token", "The token comes from another issuer.");
        }
        if (jwt.getExpiresAt() == null) {
            throw Refusal.token("bad-token", "The token has no exp claim.");
        }
        if (!"Bearer".equals(jwt.getClaim("typ").asString())) {
            throw Refusal.token("bad-token", "The token is not an access token (claim typ is not Bearer).");
        }
        if (!clients.isEmpty() && !clients.contains(String.valueOf(jwt.getClaim("azp").asString()))) {
            throw Refusal.token("bad-token", "The token was issued to a client (azp) that is not accepted here.");
        }
        if (blank(jwt.getSubject())) {
            throw Refusal.token("bad-token", "The token has no sub claim.");
        }
        String appId = jwt.getClaim("fhir_core_app_id").asString();
        if (blank(appId)) {
            throw Refusal.token("bad-token", "The token has no fhir_core_app_id claim that is one non-empty string.");
        }
        Set<String> roles = roles(jwt);
        boolean android = roles.contains("ANDROID_CLIENT");
        if (android == roles.contains("WEB_CLIENT")) {
            throw Refusal.denied("client-role",
                    "The user needs exactly one of the realm roles ANDROID_CLIENT and WEB_CLIENT.");
        }
        return new User(jwt.getSubject(), appId, android ? User.Client.ANDROID : User.Client.WEB, roles);
    }

    private static Set<String> roles(DecodedJWT jwt) {
        Map<String, Object> access = null;
        try {
            access = jwt.getClaim("realm_access").asMap();
        } catch (JWTDecodeException e) {
            access = null;
        }
        List<String> names = new ArrayList<>();
        if (access != null && access.get("roles") instanceof List<?> list) {
            for (Object role : list) {
                if (role instanceof String name) {
                    names.add(name);
                }
            }
        }
        if (names.isEmpty()) {
            throw Refusal.denied("client-role", "The token has no realm_access.roles.");
        }
        return Set.copyOf(new HashSet<>(names));
    }

    private static boolean blank(String text) {
        return text == null || text.isBlank();
    }

    private static String hash(String token) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8));
            return Base64.getEncoder().encodeToString(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
